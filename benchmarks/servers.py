"""Real servers for tests and measurements, each with its data in a temporary folder and on ports of its own: SeaweedFS, PostgreSQL."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import adbc_driver_manager
import obstore
from adbc_driver_postgresql import dbapi
from obstore.store import S3Store


class ServerMissing(Exception):
    """The program is not installed; says what to install."""


class PostgresqlServer:
    """A real PostgreSQL server with a cluster of its own, on a port of its own; it can be stopped and started again."""

    def __init__(self, binaries: Path) -> None:
        # Not below a folder of the present user's, which another user cannot enter.
        self.place, self.port = Path(tempfile.mkdtemp(prefix="shelfcast-postgresql-")), free_ports(1)[0]
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
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.place / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, and with it all connections."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)


@contextmanager
def postgresql() -> Iterator[PostgresqlServer]:
    """A server until the end; raise `ServerMissing` where Debian's package is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise ServerMissing("PostgreSQL is not installed: apt-get install postgresql")
    server = PostgresqlServer(found[-1].parent)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.place, ignore_errors=True)


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


@contextmanager
def s3(place: Path) -> Iterator[S3Server]:
    """SeaweedFS until the end, with its data in a folder."""
    (place / "data").mkdir()
    ports = {name: str(port) for name, port in zip(_S3_PORTS, free_ports(len(_S3_PORTS)), strict=True)}
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
                raise RuntimeError(f"The S3 server did not start:\n{(place / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield server
    finally:
        # Asked to end it waits for a minute, and its data go anyway.
        process.kill()
        process.wait(timeout=60)
        log.close()
        shutil.rmtree(sockets, ignore_errors=True)


_S3_PORTS = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on."""
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
