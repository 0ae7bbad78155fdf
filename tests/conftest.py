"""Fixtures shared by all tests: where the real data are, and a small provider folder to break in many ways."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import adbc_driver_manager
import obstore
import pytest
from adbc_driver_postgresql import dbapi
from hypothesis import settings
from obstore.store import S3Store
from typer.testing import CliRunner

from models.members.settings import BoostingSettings, Settings
from orchestration.cli.app import app
from orchestration.project import Project
from transforms.adapters import load_provider
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.world import WorldSpec, simulate, write_landing

CHECKOUT = Path(__file__).resolve().parents[1]
# The same examples in each run, so that a change is judged by what it changed; `pytest --hypothesis-profile=default` searches on.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
# One process opens the lakes of many worlds, and its code location is loaded once.
os.environ.setdefault("SHELFCAST_FIRST_WEEK", "2017-01-02")
# As commands set it (`orchestration.settings.QUIET`), for tests of models alone.
os.environ.setdefault("DO_NOT_TRACK", "1")
# Tests write a file and look at landing at once.
os.environ.setdefault("SHELFCAST_QUIET_SECONDS", "0")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the public data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SHELFCAST_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data are not at {folder}: set SHELFCAST_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditioned lake of north_texas alone, its weekly cycle run for 2023-07-10; four more weeks have landed. For copying, not for writing to."""
    root, world = tmp_path_factory.mktemp("small_lake"), simulate(WorldSpec(regions=1, stores_per_region=8, products=10, weeks=84))
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    write_landing(world, folder(Lake(str(root)), load_provider("sample")))
    done = CliRunner().invoke(app, ["run", "--week", str(world.last + -4), "--root", str(root), "--local"])
    assert done.exit_code == 0, done.output
    return root


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MLflow tracking server with a database of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "artifacts")]
    log = (folder / "server.log").open("w")
    server = subprocess.Popen(
        command,
        stdout=log,
        stderr=log,
        cwd=folder,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
    )
    uri, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while not _answers(f"{uri}/health"):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the MLflow server did not start:\n{(folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.5)
        yield uri
    finally:
        server.terminate()
        server.wait(timeout=120)
        log.close()


class PostgresqlServer:
    """A real PostgreSQL server with a cluster of its own, on a port of its own; it can be stopped and started again."""

    def __init__(self, binaries: Path) -> None:
        # Not below pytest's own folder, which another user cannot enter.
        self.place, self.port = Path(tempfile.mkdtemp(prefix="shelfcast-postgresql-")), _free_ports(1)[0]
        self.address = f"postgresql://owner:c4n4ry-p4ss@127.0.0.1:{self.port}/postgres"
        self._binaries, self._as_other = binaries, {"cwd": self.place}
        if os.geteuid() == 0:
            # The server refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(self.place, nobody.pw_uid, nobody.pw_gid)
            self._as_other |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        password = self.place / "password"
        password.write_text("c4n4ry-p4ss")
        create = ["-D", str(self.place / "data"), "-U", "owner", "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--locale=C"]
        subprocess.run([str(binaries / "initdb"), *create, "--no-sync"], check=True, capture_output=True, **self._as_other)
        self.start()

    def start(self) -> None:
        """Start it and wait until it lets in."""
        command = [str(self._binaries / "postgres"), "-D", str(self.place / "data"), "-k", str(self.place), "-h", "127.0.0.1", "-p", str(self.port)]
        with (self.place / "log").open("a") as log:
            self.process = subprocess.Popen([*command, "-F"], stdout=log, stderr=log, **self._as_other)
        deadline = time.monotonic() + 60
        while not _lets_in(self.address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start:\n{(self.place / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, and with it all connections."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)


def _postgresql_server() -> Iterator[PostgresqlServer]:
    """A server until the end; tests that need it are skipped where Debian's package is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql to run this test")
    server = PostgresqlServer(found[-1].parent)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.place, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_postgresql() -> Iterator[PostgresqlServer]:
    """A server that no test stops."""
    yield from _postgresql_server()


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """A server of a test's own, to be stopped."""
    yield from _postgresql_server()


@pytest.fixture(scope="session")
def postgresql(shared_postgresql: PostgresqlServer) -> str:
    """Address of a real PostgreSQL server's database."""
    return shared_postgresql.address


@pytest.fixture
def database(postgresql: str) -> Iterator[str]:
    """Address of an empty database of a test's own."""
    name = f"test_{next(_databases)}"
    with dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        yield f"{postgresql.rpartition('/')[0]}/{name}"
        cursor.execute(f"drop database if exists {name} with (force)")


_databases = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of Dagster's run history."""
    monkeypatch.delenv("SHELFCAST_DAGSTER_DATABASE", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("SHELFCAST_DAGSTER_DATABASE", request.getfixturevalue("database"))
    return str(request.param)


@pytest.fixture
def sql(postgresql: str) -> Iterator[Callable[..., None]]:
    """Executes statements, each at once; what they made in the schema `public` is gone after the test."""

    def execute(*statements: str) -> None:
        with dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    yield execute
    execute("drop schema public cascade", "create schema public")


@dataclass(frozen=True)
class S3Server:
    """A real server that speaks S3, with a user who may do everything and one who may do nothing with the buckets of tests."""

    endpoint: str
    key: str = "SHELFCASTOWNER"
    secret: str = "c4n4ry-s3cr3t-of-the-owner"
    stranger: str = "SHELFCASTSTRANGER"
    stranger_secret: str = "c4n4ry-s3cr3t-of-a-stranger"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a program finds the server and signs in."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1"}

    def bucket(self, name: str) -> S3Store:
        """Make an empty bucket."""
        store = self.bucket_of(name)
        urlopen(Request(obstore.sign(store, "PUT", "", timedelta(minutes=5)), method="PUT"), timeout=30).close()
        return store

    def bucket_of(self, name: str) -> S3Store:
        """A bucket, opened by its owner."""
        return S3Store(
            name,
            endpoint=self.endpoint,
            access_key_id=self.key,
            secret_access_key=self.secret,
            region="us-east-1",
            client_options={"allow_http": True},
        )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on ports of its own, with its data in a temporary folder."""
    place = tmp_path_factory.mktemp("s3")
    (place / "data").mkdir()
    ports = {name: str(port) for name, port in zip(_S3_PORTS, _free_ports(len(_S3_PORTS)), strict=True)}
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}")
    owner, stranger = (
        {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
        for name, key, secret, actions in (
            ("owner", server.key, server.secret, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("stranger", server.stranger, server.stranger_secret, ["Read:no-bucket-of-tests"]),
        )
    )
    (place / "users.json").write_text(json.dumps({"identities": [owner, stranger]}))
    # Each bucket has volumes of its own: one is enough.
    (place / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
    # Sockets have short paths.
    sockets = Path(tempfile.mkdtemp(prefix="shelfcast-s3-"))
    options = {
        "dir": "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": "users.json",
        "volume.max": "2000",
        "master.volumeSizeLimitMB": "64",
    }
    options |= {"master.telemetry": "false", "s3.port.iceberg": "0", "s3.port.lance": "0", **ports}
    options |= {f"{name}.localSocket": str(sockets / name) for name in ("s3", "filer")}
    command = [str(Path(sys.executable).parent / "weed"), "server", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    log = (place / "log").open("w")
    process, deadline = subprocess.Popen(command, stdout=log, stderr=log, cwd=place), time.monotonic() + 120
    try:
        while not _stores(server):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the S3 server did not start:\n{(place / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield server
    finally:
        # Asked to end it waits for a minute, and its data go anyway.
        process.kill()
        process.wait(timeout=60)
        log.close()
        shutil.rmtree(sockets, ignore_errors=True)


_S3_PORTS = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
_buckets = count()


@pytest.fixture
def bucket(s3_server: S3Server) -> S3Store:
    """An empty bucket of a test's own."""
    return s3_server.bucket(f"bucket-{next(_buckets)}")


def _free_ports(number: int) -> list[int]:
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _stores(server: S3Server) -> bool:
    """Whether it takes objects: volumes come up after the server answers."""
    try:
        obstore.put(server.bucket("ready"), "ready", b"ready")
    except (URLError, OSError, obstore.exceptions.BaseError):
        return False
    return True


def _lets_in(address: str) -> bool:
    try:
        dbapi.connect(address).close()
    except adbc_driver_manager.Error:
        return False
    return True


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


PROVIDER = """
name: corner_shop
description: A small provider for tests.
sources:
  stores:
    - files: stores.csv
      format: csv
      columns: {store_id: id, region: {column: area, clean: key}, format: {column: kind, clean: lower}, place: town}
  products:
    - files: products.csv
      format: csv
      columns: {product_id: sku, case_pack: pack, price: price}
  shipments:
    - files: "shipments/*.csv"
      format: csv
      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}
  returns:
    - files: "returns/*.csv"
      format: csv
      columns: {store_id: id, product_id: sku, week: week, units_returned: units, known_at: reported}
  weather_observed:
    - files: weather.csv
      format: csv
      columns: {place: town, date: day, tmin_c: {column: low_f, unit: fahrenheit}, tmax_c: {column: high_f, unit: fahrenheit}}
  weather_forecast:
    - files: forecast.csv
      format: csv
      columns: {place: town, issued_at: issued, target_date: day, tmax_c: high}
  events:
    - files: events.csv
      format: csv
      columns: {event: name, kind: {value: public_holiday}, start_date: day}
"""

FILES = {
    "stores.csv": "id,area,kind,town\n1,North Texas,LARGE,Dallas\n2,North Texas,SMALL,Dallas\n3,Ohio,LARGE,Columbus\n",
    "products.csv": "sku,pack,price\nA,6,2.50\nB,12,1.00\n",
    "shipments/2022-05-02.csv": "id,sku,week,units\n1,A,2022-05-02,12\n2,B,2022-05-02,24\n3,A,2022-05-02,6\n",
    "shipments/2022-05-09.csv": "id,sku,week,units\n1,A,2022-05-09,18\n3,B,2022-05-09,12\n",
    "returns/2022-05-09.csv": "id,sku,week,units,reported\n1,A,2022-05-02,2,2022-05-12 10:00:00\n",
    "weather.csv": "town,day,low_f,high_f\nDallas,2022-05-02,50,68\nDallas,2022-05-03,50,77\nColumbus,2022-05-02,32,50\n",
    "forecast.csv": "town,issued,day,high\nDallas,2022-05-08 06:00:00,2022-05-09,30\nDallas,2022-05-09 06:00:00,2022-05-09,10\n",
    "events.csv": "name,day\nMemorial Day,2022-05-30\n",
}


@pytest.fixture(scope="session")
def shop_kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A provider folder with its YAML (`corner_shop.yaml`), good throughout. For copying, not for writing to."""
    folder = tmp_path_factory.mktemp("drops")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "corner_shop.yaml").write_text(PROVIDER)
    return folder


@pytest.fixture
def shop(shop_kept: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(shop_kept, tmp_path / "drops")
