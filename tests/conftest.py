"""Fixtures shared by all tests: where the real data are, and a small provider folder to break in many ways."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.util import get_temp_dir
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from adbc_driver_postgresql import dbapi
from hypothesis import settings
from obstore.store import S3Store
from typer.testing import CliRunner

from benchmarks import servers
from benchmarks.servers import PostgresqlServer, S3Server, ServerMissing
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
# A shell that starts the tests in the background lets them, and what they start, ignore Ctrl+C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# As commands set it (`orchestration.settings.QUIET`), for tests of models alone.
os.environ.setdefault("DO_NOT_TRACK", "1")
# Tests write a file and look at landing at once.
os.environ.setdefault("SHELFCAST_QUIET_SECONDS", "0")


@pytest.fixture(autouse=True, scope="module")
def _root_of_before() -> Iterator[None]:
    """Commands name their root and profile in the environment of the process: a file of tests leaves none to the next one, such as an address of no store."""
    before = {name: os.environ.get(name) for name in ("SHELFCAST_ROOT", "SHELFCAST_PROFILE", "SHELFCAST_PROFILES")}
    yield
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(autouse=True, scope="session")
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests kill leaves temporary files, which the doctor of a later day would find; a short path, since sockets lie below it."""
    tmp_path_factory.getbasetemp()
    get_temp_dir()  # multiprocessing keeps its own, which goes after all fixtures
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as a user of its own
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield
        os.environ.pop("TMPDIR")
        if before[0] is not None:
            os.environ["TMPDIR"] = before[0]
        tempfile.tempdir = before[1]


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
    root, made = _shared(tmp_path_factory) / "small_lake", _shared(tmp_path_factory) / "small_lake.made"
    with _locked(made):
        if not made.read_text():
            _make_small_lake(root)
            made.write_text("as it is to be")
    return root


def _shared(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of a test run have."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make_small_lake(root: Path) -> None:
    world = simulate(WorldSpec(regions=1, stores_per_region=8, products=10, weeks=84))
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    write_landing(world, folder(Lake(str(root)), load_provider("sample")))
    done = CliRunner().invoke(app, ["run", "--week", str(world.last + -4), "--root", str(root), "--local"])
    assert done.exit_code == 0, done.output


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


def _postgresql_server() -> Iterator[PostgresqlServer]:
    """A server until the end; tests that need it are skipped where Debian's package is missing."""
    try:
        with servers.postgresql() as server:
            yield server
    except ServerMissing as missing:
        pytest.skip(f"{missing} to run this test")


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


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on ports of its own, with its data in a temporary folder."""
    with servers.s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


_buckets = count()


@pytest.fixture
def bucket(s3_server: S3Server) -> S3Store:
    """An empty bucket of a test's own."""
    return s3_server.bucket(f"bucket-{next(_buckets)}")


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
