"""A lake in an object store: what is true of a folder is true there, and who may not or cannot be told apart is told so."""

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
import pytest
from obstore.store import S3Store

from orchestration.settings import settings_of
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.backup import back_up, read_backup, restore_lake
from transforms.lake.lease import lease
from transforms.lake.maintenance import maintain_table
from transforms.lake.remote import leases
from transforms.lake.remote.working_copy import brought, holds_anything, look_again, probe, pulled, push, remove, store_of
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault
from transforms.stores import STATE

WEEK = Week.parse("2022-05-02")
REGIONS = tuple(Region(name) for name in ("ohio", "north_texas", "iowa", "utah", "maine", "idaho", "nevada", "oregon"))


def demand(region: Region, week: Week, units: int) -> pa.Table:
    row = {"region": str(region), "store_id": "1", "product_id": "A", "week": week.monday, "units_shipped": units, "units_returned": 0}
    return pa.Table.from_pylist([{**row, "demand": units}], schema=CONTRACTS["gold/demand"].schema)


@pytest.fixture
def in_store(s3_server: Any, bucket: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Lake:
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    root = f"s3://{bucket.config['bucket']}/it/lake"
    return Lake(root, settings_of(root).storage_options)


def test_a_slice_that_is_replaced_in_a_store_is_read_by_both_engines(in_store: Lake) -> None:
    ohio, texas = REGIONS[:2]
    in_store.replace("gold/demand", SliceBlock((ohio,), WEEK, WEEK), demand(ohio, WEEK, 1))
    in_store.replace("gold/demand", SliceBlock((texas,), WEEK, WEEK), demand(texas, WEEK, 2))
    in_store.replace("gold/demand", SliceBlock((ohio,), WEEK, WEEK), demand(ohio, WEEK, 3))
    assert {(row["region"], row["demand"]) for row in in_store.read("gold/demand").to_pylist()} == {("ohio", 3), ("north_texas", 2)}
    with in_store.connect("gold/demand") as connection:
        assert connection.execute("select region, demand from gold_demand order by all").fetchall() == [("north_texas", 2), ("ohio", 3)]


def test_eight_writers_at_once_lose_nothing_in_a_store(in_store: Lake) -> None:
    def write(region: Region) -> None:
        for week in (WEEK, WEEK + 1, WEEK + 2):
            in_store.replace("gold/demand", SliceBlock((region,), week, week), demand(region, week, 5))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, REGIONS))
    assert in_store.read("gold/demand").num_rows == 8 * 3


def test_a_store_that_ignores_if_none_match_is_refused_with_the_reason(s3_server: Any, in_store: Lake) -> None:
    with ignoring_if_none_match(s3_server) as endpoint:
        faulty = Lake(in_store.root, {**in_store.storage_options, "AWS_ENDPOINT_URL": endpoint})
        with pytest.raises(MissingData, match=r"the store at http://127.0.0.1:\d+ ignores If-None-Match: it overwrote an object"):
            probe(faulty)
    probe(in_store)
    assert not holds_anything(in_store)


def test_a_wrong_secret_is_told_in_a_sentence_without_the_secret(in_store: Lake) -> None:
    secret = "c4n4ry-wrong-s3cr3t"
    with pytest.raises(ConfigurationError, match=r"the secret does not belong to the key. Correct AWS_SECRET_ACCESS_KEY") as refused:
        probe(Lake(in_store.root, {**in_store.storage_options, "AWS_SECRET_ACCESS_KEY": secret}))
    assert secret not in str(refused.value)


def test_keys_come_from_files_too(s3_server: Any, in_store: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{s3_server.secret}\n")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match=r"needs a key, and AWS_SECRET_ACCESS_KEY is not set. Set it, or AWS_SECRET_ACCESS_KEY_FILE"):
        settings_of(in_store.root)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "key"))
    probe(Lake(in_store.root, settings_of(in_store.root).storage_options))


def test_what_one_machine_writes_another_reads_and_what_is_gone_is_gone_there(in_store: Lake, tmp_path: Path) -> None:
    other = Lake(in_store.root, {**in_store.storage_options, STATE: str(tmp_path / "another machine")})
    file = in_store.path("landing", "shop", "week 1.csv")
    file.parent.mkdir(parents=True)
    file.write_text("1")
    push(in_store, file.parent)
    assert pulled(other, "landing", "shop").joinpath("week 1.csv").read_text() == "1"
    file.write_text("22")
    push(in_store, file)
    assert brought(other, "landing", "shop", "week 1.csv").read_text() == "22"
    remove(other, [other.path("landing", "shop", "week 1.csv")])
    assert not list(pulled(in_store, "landing").rglob("*.csv"))


def test_what_was_written_here_and_not_pushed_yet_stays(in_store: Lake) -> None:
    file = in_store.path("landing", "interrupted.csv")
    file.parent.mkdir(parents=True)
    file.write_text("1")
    assert pulled(in_store, "landing").joinpath("interrupted.csv").exists()


def test_a_lease_of_another_machine_is_waited_for(in_store: Lake, tmp_path: Path) -> None:
    other = Lake(in_store.root, {**in_store.storage_options, STATE: str(tmp_path / "another machine")})
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with lease(in_store, "cycle", "shelfcast run", pytest.fail):
            waiting = pool.submit(_hold, other, told)
            while not told:
                time.sleep(0.05)
            assert not waiting.done()
        waiting.result(timeout=30)
    assert told[0].startswith("waiting for 'shelfcast run' (process ")


def test_a_lease_whose_holder_was_killed_is_taken_over(in_store: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Lake(in_store.root, {**in_store.storage_options, STATE: str(tmp_path / "another machine")})
    store_of(in_store).write(leases.object_of("cycle"), b'{"what": "a", "process": 1, "host": "gone", "since": "2026-01-01T00:00:00+00:00"}')
    monkeypatch.setattr(leases, "SECONDS", 2.0)
    begun, told = time.monotonic(), list[str]()
    _hold(other, told)
    assert time.monotonic() - begun >= 2.0
    assert told == ["waiting for 'a' (process 1 on gone, since 2026-01-01 00:00:00 UTC); Ctrl+C gives up"]


def test_a_holder_that_could_not_renew_its_lease_is_told_at_the_end(in_store: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEW_SECONDS", 0.1)
    begun = lease(in_store, "cycle", "a", pytest.fail)
    begun.__enter__()
    store_of(in_store).write(leases.object_of("cycle"), b'{"token": "of another"}')
    time.sleep(1)
    with pytest.raises(ConfigurationError, match="the lease 'cycle' could not be renewed"):
        begun.__exit__(None, None, None)


def test_a_backup_of_a_lake_in_a_store_is_restored_into_a_folder_and_into_a_store(in_store: Lake, tmp_path: Path) -> None:
    ohio = REGIONS[0]
    in_store.replace("gold/demand", SliceBlock((ohio,), WEEK, WEEK), demand(ohio, WEEK, 1))
    in_store.replace("gold/demand", SliceBlock((ohio,), WEEK, WEEK), demand(ohio, WEEK, 2))
    files = [in_store.path(*parts) for parts in (("landing", "shop", "week 1.csv"), ("models", "ohio", "a.safetensors"), ("shelfcast.yaml",))]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name)
    push(in_store, *files)
    store_of(in_store).write("reports/made elsewhere.html", b"a page")
    back_up(in_store, FolderVault(tmp_path / "vault"), {}, datetime.now(UTC))
    kept = read_backup(FolderVault(tmp_path / "vault"))
    elsewhere = Lake(f"{in_store.root}-again", {**in_store.storage_options, STATE: str(tmp_path / "another machine")})
    for lake in (Lake(str(tmp_path / "again")), elsewhere):
        restore_lake(FolderVault(tmp_path / "vault"), kept, lake)
        assert lake.read("gold/demand")["demand"].to_pylist() == [2]
        assert lake.read("gold/demand", version=0)["demand"].to_pylist() == [1]
        assert brought(lake, "models", "ohio", "a.safetensors").read_text() == "a.safetensors"
        assert pulled(lake, "reports").joinpath("made elsewhere.html").read_text() == "a page"
    with pytest.raises(ConfigurationError, match="is not empty: a backup is restored into a root that does not exist yet"):
        restore_lake(FolderVault(tmp_path / "vault"), kept, elsewhere)


def test_maintenance_in_a_store_merges_and_removes_what_it_does_in_a_folder(in_store: Lake, tmp_path: Path) -> None:
    found, table = [], "gold/demand"
    for lake in (in_store, Lake(str(tmp_path / "folder"))):
        for number in range(16):
            week = WEEK + number
            lake.replace(table, SliceBlock(REGIONS[:1], week, week), demand(REGIONS[0], week, 0))
            lake.replace(table, SliceBlock(REGIONS[:1], week, week), demand(REGIONS[0], week, number))
        rows, named, later = lake.read(table).sort_by("week"), lake.read(table, version=5).sort_by("week"), datetime.now(UTC) + timedelta(days=100)
        tried = maintain_table(lake, table, {5}, later, later, 6, dry_run=True)
        done = maintain_table(lake, table, {5}, later, later, 6, dry_run=False)
        assert lake.read(table).sort_by("week") == rows
        assert lake.at({table: 5}).read(table).sort_by("week") == named
        with lake.at({table: 5}).connect(table) as connection:
            assert connection.execute("select count(*) from gold_demand").fetchall() == [(named.num_rows,)]
        with pytest.raises(MissingData, match=r"gold/demand: version 12 cannot be read any more: part-.*\.parquet is gone"):
            lake.at({table: 12}).select(table)
        found.append((tried.merged, done.merged, len(done.removed), {path.path.exists() or lake_holds(lake, path.path) for path in done.removed}))
        assert not maintain_table(lake, table, {5}, later, later, 6, dry_run=False).removed
    in_the_store, in_a_folder = found
    assert in_the_store == in_a_folder
    assert in_a_folder[1] > 0
    assert in_a_folder[3] == {False}


def lake_holds(lake: Lake, path: Path) -> bool:
    return look_again(lake, path) is not None


def _hold(lake: Lake, told: list[str]) -> None:
    with lease(lake, "cycle", "another", told.append):
        pass


@contextmanager
def ignoring_if_none_match(s3: Any) -> Iterator[str]:
    """A server in front of a store that overwrites what was to be written only where there is nothing, as stores do that do not know the header."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "If-None-Match" in self.headers:
                bucket, _, key = urlsplit(self.path).path.removeprefix("/").partition("/")
                obstore.delete(s3.bucket_of(bucket), key)
            store = http.client.HTTPConnection(urlsplit(s3.endpoint).netloc)
            store.request(self.command, self.path, body, dict(self.headers.items()))
            came = store.getresponse()
            content = came.read()
            store.close()
            self.send_response(came.status)
            for name, value in came.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", came.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815 - the library's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
