"""Incidents around object stores: objects cut short or taken twice, keys that lead out of landing, stores that are slow, broken or closed."""

import gzip
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit
from xml.sax.saxutils import escape

import obstore
import pytest
from obstore.store import S3Store

from transforms.adapters import ProviderSpec, load_provider
from transforms.errors import ConfigurationError
from transforms.fetching import Fetched, fetch
from transforms.lake.tables import Lake
from transforms.landing import conservation, drop, folder, refused_files, register
from transforms.patterns import find, meets
from transforms.stores import objects as stores

TODAY = date(2022, 5, 18)
WEEK = "shipments/2022-05-02.csv"
Fetch = Callable[..., Fetched]


def provided(shop: Path, address: str, *changes: tuple[str, str]) -> ProviderSpec:
    """The small provider, with all its files in a store."""
    yaml = (shop / "corner_shop.yaml").read_text().replace("sources:\n", f"store: {address}\nsources:\n", 1)
    for old, new in changes:
        assert old in yaml
        yaml = yaml.replace(old, new)
    path = shop / "stored.yaml"
    path.write_text(yaml)
    return load_provider(str(path))


def upload(bucket: S3Store, shop: Path, below: str = "") -> None:
    for path in sorted(shop.rglob("*.csv")):
        obstore.put(bucket, f"{below}{path.relative_to(shop).as_posix()}", path.read_bytes())


def name_of(bucket: S3Store) -> str:
    return str(bucket.config["bucket"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def provider(shop: Path, bucket: S3Store) -> ProviderSpec:
    """The small provider, whose files are all in the bucket."""
    upload(bucket, shop)
    return provided(shop, f"s3://{name_of(bucket)}")


@pytest.fixture
def fetched(lake: Lake, s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    monkeypatch.setattr(stores, "RETRIES", 1)
    monkeypatch.setattr(stores, "READ_SECONDS", 2)

    def fetch_now(provider: ProviderSpec, tell: Callable[[str], None] = lambda _: None, **variables: str) -> Fetched:
        held = {**s3_server.environment, **variables}
        return fetch(lake, provider, lambda name: held.get(name, ""), TODAY, tell)

    return fetch_now


def standing(lake: Lake) -> dict[str, bytes]:
    """Files in landing, drafts included; the record of what was fetched left out."""
    top = lake.path("landing")
    found = {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}
    assert found.pop(".fetched-corner_shop.json", b"{}")
    return {name.removeprefix("corner_shop/"): content for name, content in found.items()}


def csv_files(shop: Path) -> dict[str, bytes]:
    return {path.relative_to(shop).as_posix(): path.read_bytes() for path in sorted(shop.rglob("*.csv"))}


# What is fetched, and when


def test_objects_are_landed_byte_for_byte_and_taken_in_like_any_file(shop: Path, lake: Lake, provider: ProviderSpec, fetched: Fetch) -> None:
    found = fetched(provider)
    assert (sorted(found.written), found.left_out, found.noticed) == (sorted(csv_files(shop)), [], [])
    assert standing(lake) == csv_files(shop)
    register(lake, provider, datetime(2022, 5, 18, tzinfo=UTC))
    assert refused_files(lake, provider) == []
    assert conservation(lake, provider).findings == []


def test_files_are_not_read_again_when_a_store_is_named_for_them(shop: Path, lake: Lake, provider: ProviderSpec, fetched: Fetch) -> None:
    dropped = load_provider(str(shop / "corner_shop.yaml"))
    drop(lake, dropped, shop)
    register(lake, dropped, datetime(2022, 5, 18, tzinfo=UTC))
    assert fetched(provider).written == []
    read: list[str] = []
    assert register(lake, provider, datetime(2022, 5, 19, tzinfo=UTC), read.append).accepted == []
    assert read == []


def test_what_stands_in_other_folders_of_the_bucket_is_left_alone(shop: Path, lake: Lake, bucket: S3Store, fetched: Fetch) -> None:
    upload(bucket, shop, "drops/corner shop/")
    obstore.put(bucket, "drops/other/stores.csv", b"other")
    obstore.put(bucket, "drops/corner shop/notes.txt", b"notes")
    obstore.put(bucket, "drops/corner shop/shipments/old/2022-05-02.csv", b"deeper than the pattern")
    fetched(provided(shop, f"s3://{name_of(bucket)}/drops/corner shop/"))
    assert standing(lake) == csv_files(shop)


def test_only_new_and_changed_objects_are_read_again(lake: Lake, bucket: S3Store, provider: ProviderSpec, proxy: "Proxy", fetched: Fetch) -> None:
    through = {"AWS_ENDPOINT_URL": proxy.address}
    fetched(provider, **through)
    before = {path: path.stat().st_mtime_ns for path in folder(lake, provider).rglob("*.csv")}
    proxy.read.clear()
    again = fetched(provider, **through)
    assert (again.written, len(again.unchanged), proxy.read) == ([], len(before), [])
    obstore.put(bucket, WEEK, b"id,sku,week,units\n1,A,2022-05-02,18\n")
    obstore.put(bucket, "shipments/2022-05-16.csv", b"id,sku,week,units\n1,A,2022-05-16,6\n")
    # Uploaded again as it was.
    obstore.put(bucket, "stores.csv", obstore.get(bucket, "stores.csv").bytes())
    time.sleep(1.1)
    obstore.put(bucket, "stores.csv", obstore.get(bucket, "stores.csv").bytes())
    found = fetched(provider, **through)
    assert sorted(found.written) == [WEEK, "shipments/2022-05-16.csv"]
    assert sorted(proxy.read) == [WEEK, "shipments/2022-05-16.csv", "stores.csv"]
    assert {path for path, time_of in before.items() if path.stat().st_mtime_ns != time_of} == {folder(lake, provider) / WEEK}


def test_a_file_that_was_deleted_from_landing_comes_again(shop: Path, lake: Lake, provider: ProviderSpec, fetched: Fetch) -> None:
    fetched(provider)
    (folder(lake, provider) / WEEK).unlink()
    assert fetched(provider).written == [WEEK]
    assert standing(lake) == csv_files(shop)


def test_a_file_that_a_person_corrected_in_landing_is_not_overwritten_in_silence(
    lake: Lake, bucket: S3Store, provider: ProviderSpec, fetched: Fetch
) -> None:
    fetched(provider)
    (folder(lake, provider) / WEEK).write_bytes(b"corrected here")
    found = fetched(provider)
    assert standing(lake)[WEEK] == b"corrected here"
    [message] = found.noticed
    assert message.startswith(f"{WEEK} was changed in landing after it was fetched from s3://{name_of(bucket)}, and stays so. Delete it to have")
    obstore.put(bucket, WEEK, b"corrected there")
    found = fetched(provider)
    assert standing(lake)[WEEK] == b"corrected there"
    assert found.noticed == [f"{WEEK} stood in landing with a content that was not fetched: that of s3://{name_of(bucket)} is in its place."]


def test_an_object_that_vanished_keeps_its_file_and_is_told(shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, fetched: Fetch) -> None:
    fetched(provider)
    obstore.delete(bucket, [WEEK])
    found = fetched(provider)
    assert found.noticed == [f"{WEEK}: no longer in s3://{name_of(bucket)}; its file stays in landing, since what was delivered is history."]
    assert (found.left_out, standing(lake)) == ([], csv_files(shop))
    (folder(lake, provider) / WEEK).unlink()
    assert fetched(provider).noticed == []


@pytest.mark.parametrize("damage", ["removed", "cut off"])
def test_a_lost_record_is_told_and_nothing_is_written_anew(damage: str, lake: Lake, provider: ProviderSpec, fetched: Fetch) -> None:
    fetched(provider)
    before, record = standing(lake), lake.path("landing", ".fetched-corner_shop.json")
    record.write_text(record.read_text()[:100])
    if damage == "removed":
        record.unlink()
    found = fetched(provider)
    assert (found.written, len(found.unchanged), found.left_out) == ([], len(before), [])
    assert found.noticed == ["No record of earlier fetches from a store can be read: all objects are read and compared with the files in landing."]
    assert fetched(provider).noticed == []


def test_lookups_and_calendars_come_with_the_files_that_need_them(shop: Path, lake: Lake, bucket: S3Store, fetched: Fetch) -> None:
    upload(bucket, shop)
    obstore.put(bucket, "headers/2022-05-02.csv", b"number,store\n")
    obstore.put(bucket, "calendars/retail [1].csv", b"period,first_day\n")
    obstore.put(bucket, "calendars/retail 1.csv", b"period,first_day\n")
    shipments = '    - files: "shipments/*.csv"\n      format: csv\n'
    more = '      path: "shipments/{day}.csv"\n      with: {files: "headers/{day}.csv", by: number, columns: [store], format: csv}\n'
    calendar = "week: {column: week, calendar: 'calendars/retail [1].csv'}, units_shipped"
    fetched(provided(shop, f"s3://{name_of(bucket)}", (shipments, shipments + more), ("week: week, units_shipped", calendar)))
    assert set(standing(lake)) == {*csv_files(shop), "headers/2022-05-02.csv", "calendars/retail [1].csv"}


def test_two_stores_that_hold_one_name_are_told(shop: Path, lake: Lake, s3_server: Any, bucket: S3Store, fetched: Fetch) -> None:
    upload(bucket, shop)
    other = s3_server.bucket(f"{name_of(bucket)}-other")
    obstore.put(other, WEEK, b"other")
    obstore.put(other, "shipments/west.csv", b"west")
    shipments = (
        '    - files: "shipments/*.csv"\n      format: csv\n      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}\n'
    )
    both = shipments + shipments.replace("format: csv", f"format: csv\n      store: s3://{name_of(other)}")
    found = fetched(provided(shop, f"s3://{name_of(bucket)}", (shipments, both)))
    assert found.left_out == [
        f"'{WEEK}' in s3://{name_of(other)} was not fetched: an object of s3://{name_of(bucket)} has the same key, and so the same name in landing. "
        "Give the object another key."
    ]
    assert standing(lake)[WEEK] == (shop / WEEK).read_bytes()
    assert standing(lake)["shipments/west.csv"] == b"west"


def test_files_of_one_source_may_be_dropped_and_those_of_another_fetched(shop: Path, lake: Lake, bucket: S3Store, fetched: Fetch) -> None:
    upload(bucket, shop)
    yaml = (shop / "corner_shop.yaml").read_text()
    (shop / "half.yaml").write_text(
        yaml.replace('- files: "shipments/*.csv"\n', f'- files: "shipments/*.csv"\n      store: s3://{name_of(bucket)}\n')
    )
    provider = load_provider(str(shop / "half.yaml"))
    (shop / WEEK).unlink()
    (shop / "shipments/2022-05-09.csv").unlink()
    drop(lake, provider, shop)
    assert fetched(provider).written == [WEEK, "shipments/2022-05-09.csv"]


def test_thousands_of_objects_are_listed_page_by_page_with_progress(
    shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, fetched: Fetch
) -> None:
    for number in range(2_100):
        obstore.put(bucket, f"shipments/n{number:04}.csv", b"n%d" % number)
    lines: list[str] = []
    found = fetched(provider, lines.append)
    assert len(found.written) == 2_100 + len(csv_files(shop))
    assert [line for line in lines if line.startswith("listing")][-1] == f"listing s3://{name_of(bucket)}: 2,108 objects"
    assert any("(2,000 of 2,108)" in line for line in lines)


def test_large_and_packed_and_empty_objects_arrive_as_they_are(
    shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, fetched: Fetch
) -> None:
    large = bytes(range(256)) * 80_000
    obstore.put(bucket, "shipments/large.csv", large, chunk_size=5 << 20, use_multipart=True)
    packed = gzip.compress(b"id,sku,week,units\n")
    obstore.put(bucket, "shipments/packed.csv", packed, attributes={"Content-Encoding": "gzip"})
    obstore.put(bucket, "returns/2022-05-16.csv", b"")
    # As consoles make folders.
    obstore.put(bucket, "shipments/marker.csv/", b"", attributes={"Content-Type": "application/x-directory"})
    assert "-" in str(obstore.head(bucket, "shipments/large.csv")["e_tag"])
    assert fetched(provider).left_out == []
    files = standing(lake)
    assert (files["shipments/large.csv"], files["shipments/packed.csv"], files["returns/2022-05-16.csv"]) == (large, packed, b"")
    assert "shipments/marker.csv" not in files


@pytest.mark.parametrize("answered", ['W/"{}"', "{}"])
def test_a_tag_that_is_listed_without_its_quotes_or_answered_as_a_weak_one_is_the_same(
    answered: str, lake: Lake, provider: ProviderSpec, proxy: "Proxy", fetched: Fetch
) -> None:
    """Azure lists tags without quotes, and a server that packs its answers marks them as weak."""
    proxy.tag = lambda tag: answered.format(tag.strip('"'))
    proxy.listed_tag = lambda tag: tag.replace("&#34;", "").replace("&quot;", "")
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    assert (len(found.written), found.left_out) == (8, [])
    assert len(fetched(provider, AWS_ENDPOINT_URL=proxy.address).unchanged) == 8
    assert len(proxy.read) == 8


# Keys that are no names


@dataclass
class Proxy:
    """A server between client and store that spoils what it is told to."""

    address: str
    read: list[str] = field(default_factory=list)
    """Keys of the objects that were asked for."""
    keys: list[str] = field(default_factory=list)
    """Keys that the store is made to list."""
    answer: Callable[[str], int | None] = lambda _: None
    """Status with which a path is answered, in place of the store."""
    cut: Callable[[str], bool] = lambda _: False
    """Whether the answer breaks off in its middle."""
    pause: Callable[[str], float] = lambda _: 0.0
    """Seconds between the parts of an answer."""
    tag: Callable[[str], str] = str
    """How the tag of an object is written in an answer."""
    listed_tag: Callable[[str], str] = str
    """How it is written in the list."""
    before_read: Callable[[str], None] = lambda _: None


@pytest.fixture
def proxy(s3_server: Any) -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            key = urlsplit(self.path).path.partition("/")[2].partition("/")[2]
            if key:
                spoil.read.append(key)
                spoil.before_read(key)
            if (status := spoil.answer(key)) is not None:
                return self.send(status, {}, b"<Error><Code>Spoiled</Code></Error>", key)
            store = http.client.HTTPConnection(urlsplit(s3_server.endpoint).netloc)
            store.request("GET", self.path, headers=dict(self.headers))
            came = store.getresponse()
            body = came.read()
            store.close()
            headers = {name: spoil.tag(value) if name == "Etag" else value for name, value in came.getheaders()}
            if not key:
                body = re.sub(r"<ETag>(.*?)</ETag>", lambda tag: f"<ETag>{spoil.listed_tag(tag[1])}</ETag>", body.decode()).encode()
            if not key and "continuation-token" not in self.path:
                spell = quote_plus if "encoding-type=url" in self.path else escape
                body = body.replace(b"</ListBucketResult>", "".join(listed(spell(key)) for key in spoil.keys).encode() + b"</ListBucketResult>")
            return self.send(came.status, headers, body, key)

        def send(self, status: int, headers: dict[str, str], body: bytes, key: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            time.sleep(spoil.pause(key))
            if spoil.cut(key):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(body[half:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    spoil = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield spoil
    server.shutdown()
    server.server_close()


def listed(key: str) -> str:
    return f"<Contents><Key>{key}</Key><LastModified>2022-05-10T10:16:05Z</LastModified><ETag>&#34;0&#34;</ETag><Size>3</Size></Contents>"


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "a/b.csv", False),
        ("a/*", "a/.b", True),
        ("**/*.csv", "b.csv", True),
        ("**/*.csv", "a/b/c.csv", True),
        ("a/**/c.csv", "a/c.csv", True),
        ("a/**/c.csv", "a/b/b/c.csv", True),
        ("a/**/c.csv", "b/c.csv", False),
        ("a/**", "a/b.csv", False),
        ("[ab]?.csv", "b1.csv", False),
        ("s[1]?.csv", "s[1]a.csv", True),
        ("[*/s[!1].csv", "[a]/s[!1].csv", True),
        ("A.csv", "a.csv", False),
        ("./a.csv", "a.csv", True),
    ],
)
def test_a_pattern_meets_the_keys_whose_files_landing_would_find(pattern: str, name: str, found: bool, tmp_path: Path) -> None:
    assert meets(pattern, name) is found
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    assert ((tmp_path / name) in [path for path in find(tmp_path, pattern) if path.is_file()]) is found


def test_keys_that_cannot_stand_beside_others_are_told_and_the_others_fetched(
    shop: Path, lake: Lake, bucket: S3Store, proxy: Proxy, fetched: Fetch
) -> None:
    upload(bucket, shop)
    proxy.keys = ["shipments/back\\slash.csv", "shipments/TWIN.csv", f"shipments/{'n' * 300}.csv", "shipments/2022-05-02.csv/deeper.csv"]
    obstore.put(bucket, "shipments/twin.csv", b"1")
    obstore.put(bucket, "shipments/u\u0308ber.csv", b"2")
    provider = provided(shop, f"s3://{name_of(bucket)}", ('"shipments/*.csv"', '"shipments/**/*.csv"'))
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    told = [
        message.replace(f" in s3://{name_of(bucket)} was not fetched", "").removesuffix(" Give the object another key.") for message in found.left_out
    ]
    assert sorted(told)[:4] == [
        "'shipments/2022-05-02.csv': 'shipments/2022-05-02.csv/deeper.csv' needs a folder of that name.",
        "'shipments/TWIN.csv': 'shipments/twin.csv' differs from it by capital letters alone.",
        "'shipments/back\\\\slash.csv': it has a backslash in it.",
        f"'shipments/{'n' * 300}.csv': a part of it takes 304 bytes, more than the 255 of a file's name.",
    ]
    assert found.noticed == [
        f"'shipments/u\u0308ber.csv' in s3://{name_of(bucket)} has letters and their marks apart: it is 'shipments/\xfcber.csv' in landing."
    ]
    assert standing(lake)["shipments/\xfcber.csv"] == b"2"
    assert set(standing(lake)) == {*csv_files(shop), "shipments/\xfcber.csv"} - {WEEK}


def test_keys_that_are_no_paths_are_told_one_by_one_and_the_others_fetched(
    shop: Path, lake: Lake, bucket: S3Store, proxy: Proxy, fetched: Fetch
) -> None:
    upload(bucket, shop, "drops/")
    for number in range(1_100):
        obstore.put(bucket, f"drops/shipments/ü {number:04}+&.csv", b"n")
    odd = ["shipments//a.csv", "shipments/../a.csv", "../shipments/b.csv", "/shipments/a.csv", "shipments/./a.csv", "shipments/c\nd.csv"]
    proxy.keys = [f"drops/{key}" for key in [*odd, "shipments/folder/", "tmp//elsewhere.txt"]]
    found = fetched(provided(shop, f"s3://{name_of(bucket)}/drops"), AWS_ENDPOINT_URL=proxy.address)
    place = f"in s3://{name_of(bucket)}/drops was not fetched"
    told = {message.partition(f" {place}: ")[0]: message.partition(f" {place}: ")[2] for message in found.left_out}
    assert {key: why.removesuffix(" Give the object another key.") for key, why in told.items()} == {
        "'shipments//a.csv'": "it begins or ends with / or has // in it.",
        "'/shipments/a.csv'": "it begins or ends with / or has // in it.",
        "'shipments/../a.csv'": "it has a part '.' or '..', which would lead to another folder.",
        "'../shipments/b.csv'": "it has a part '.' or '..', which would lead to another folder.",
        "'shipments/./a.csv'": "it has a part '.' or '..', which would lead to another folder.",
        "'shipments/c\\nd.csv'": "it has a control character in it.",
    }
    assert found.noticed == []
    assert set(standing(lake)) == {*csv_files(shop), *(f"shipments/ü {number:04}+&.csv" for number in range(1_100))}


def test_a_key_that_is_no_path_is_named_where_the_bucket_cannot_be_listed_otherwise(
    shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, proxy: Proxy, fetched: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_direct", lambda *_: None)
    proxy.keys = ["tmp//a.csv"]
    [message] = fetched(provider, AWS_ENDPOINT_URL=proxy.address).left_out
    assert message.startswith(f"s3://{name_of(bucket)}: it holds an object whose key is no path (")
    assert "tmp//a.csv" in message


def test_of_keys_that_cannot_stand_side_by_side_the_one_that_was_fetched_before_goes_on(
    shop: Path, lake: Lake, bucket: S3Store, proxy: Proxy, fetched: Fetch
) -> None:
    upload(bucket, shop)
    obstore.put(bucket, "shipments/twin.csv", b"1")
    provider = provided(shop, f"s3://{name_of(bucket)}", ('"shipments/*.csv"', '"shipments/**/*.csv"'))
    fetched(provider)
    obstore.put(bucket, "shipments/TWIN.csv", b"2")
    obstore.put(bucket, "shipments/twin.csv", b"3")
    proxy.keys = ["shipments/twin.csv/deeper.csv"]
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    assert [message.replace(f" in s3://{name_of(bucket)} was not fetched", "").partition(". ")[0] for message in found.left_out] == [
        "'shipments/TWIN.csv': 'shipments/twin.csv' differs from it by capital letters alone",
        "'shipments/twin.csv/deeper.csv': 'shipments/twin.csv' stands where it needs a folder",
    ]
    assert standing(lake)["shipments/twin.csv"] == b"3"


def test_a_link_or_a_folder_in_landing_is_no_way_out_and_no_end_of_the_fetch(
    shop: Path, lake: Lake, tmp_path: Path, provider: ProviderSpec, fetched: Fetch
) -> None:
    top, outside = folder(lake, provider), tmp_path / "outside"
    outside.mkdir()
    (top / "stores.csv").mkdir(parents=True)
    (top / "shipments").symlink_to(outside)
    (top / "returns").write_text("a file")
    found = fetched(provider)
    assert sorted(message.partition(" stayed")[0] for message in found.left_out) == [
        "returns/2022-05-09.csv", WEEK, "shipments/2022-05-09.csv", "stores.csv",
    ]  # fmt: skip
    assert list(outside.iterdir()) == []
    assert set(standing(lake)) == {"events.csv", "forecast.csv", "products.csv", "returns", "weather.csv"}


# Stores that fail


def test_an_object_that_changes_between_list_and_read_is_not_taken(
    lake: Lake, bucket: S3Store, provider: ProviderSpec, proxy: Proxy, fetched: Fetch
) -> None:
    fetched(provider)
    before = standing(lake)
    obstore.put(bucket, WEEK, b"half")
    obstore.put(bucket, "stores.csv", b"gone soon")

    def meanwhile(key: str) -> None:
        proxy.before_read = lambda _: None
        obstore.put(bucket, WEEK, b"half and the other half")
        obstore.delete(bucket, ["stores.csv"])

    proxy.before_read = meanwhile
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    assert [message.replace("stayed as fetched before: ", "") for message in found.left_out] == [
        f"{WEEK} it was changed while it was fetched, or is still being written. Fetch again.",
        "stores.csv it was there when the store was listed and is not there now, or its key begins or ends with /. Fetch again, or give it another key.",
    ]
    assert (found.written, standing(lake)) == ([], before)
    assert fetched(provider).written == [WEEK]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ({"answer": lambda key: 500 if key else None}, "it answers '500 Internal Server Error', also when it is asked 2 times. Fetch again later."),
        ({"cut": bool}, "the connection broke, also when what was missing was asked for 1 times. Fetch again later."),
        ({"pause": lambda key: 4.0 if key else 0.0}, "no answer came within 2 seconds. Fetch again, or check AWS_ENDPOINT_URL."),
    ],
)  # fmt: skip
def test_a_store_that_fails_is_given_up_in_bounded_time_and_leaves_what_was_landed(
    spoil: dict[str, Any], sentence: str, shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, proxy: Proxy, fetched: Fetch
) -> None:
    fetched(provider)
    before = standing(lake)
    for key, content in csv_files(shop).items():
        obstore.put(bucket, key, content + content)
    for name, how in spoil.items():
        setattr(proxy, name, how)
    started = time.monotonic()
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    assert time.monotonic() - started < 40
    place = f"It was asked for at {proxy.address}."
    assert found.left_out == [
        *(f"{name} stayed as fetched before: {sentence} {place}" for name in ("events.csv", "forecast.csv", "products.csv")),
        f"s3://{name_of(bucket)}: 3 objects one after the other could not be read, so the other 5 were not asked for. What was fetched from it stays.",
    ]
    assert standing(lake) == before


def test_one_object_that_fails_does_not_stop_the_others(lake: Lake, provider: ProviderSpec, proxy: Proxy, fetched: Fetch) -> None:
    proxy.answer = lambda key: 503 if key in {WEEK, "stores.csv"} else None
    found = fetched(provider, AWS_ENDPOINT_URL=proxy.address)
    assert [message.partition(" ")[0] for message in found.left_out] == [WEEK, "stores.csv"]
    assert set(standing(lake)) == set(found.written)
    assert len(found.written) == 6
    proxy.answer = lambda _: None
    assert fetched(provider, AWS_ENDPOINT_URL=proxy.address).written == [WEEK, "stores.csv"]


def test_a_connection_that_breaks_once_goes_on_where_it_broke(
    lake: Lake, bucket: S3Store, provider: ProviderSpec, proxy: Proxy, fetched: Fetch
) -> None:
    obstore.put(bucket, WEEK, b"0123456789" * 500_000)
    broken: list[str] = []
    proxy.cut = lambda key: key == WEEK and not broken and not broken.append(key)
    assert fetched(provider, AWS_ENDPOINT_URL=proxy.address).left_out == []
    assert broken == [WEEK]
    assert standing(lake)[WEEK] == b"0123456789" * 500_000


def test_an_object_that_trickles_in_is_given_up_after_its_time(shop: Path, lake: Lake, bucket: S3Store, proxy: Proxy, fetched: Fetch) -> None:
    upload(bucket, shop)
    proxy.pause = lambda key: 1.5 if key == "stores.csv" else 0.0
    provider = provided(shop, f"s3://{name_of(bucket)}", ("    - files: stores.csv\n", "    - files: stores.csv\n      timeout: 1\n"))
    [message] = fetched(provider, AWS_ENDPOINT_URL=proxy.address).left_out
    assert message == (
        "stores.csv stayed as fetched before: it did not come within 1 seconds. Set 'timeout' beside 'files' higher, or make it smaller."
    )


def test_what_was_landed_before_a_fetch_was_killed_is_not_read_again(lake: Lake, provider: ProviderSpec, proxy: Proxy, fetched: Fetch) -> None:
    def tell(line: str) -> None:
        if "(5 of" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetched(provider, tell, AWS_ENDPOINT_URL=proxy.address)
    done = len(proxy.read)
    assert done == 4
    assert len(fetched(provider, AWS_ENDPOINT_URL=proxy.address).written) == 4
    assert len(proxy.read) == 8


SECRET = "c4n4ry-s3cr3t-of-the-owner"


@pytest.mark.parametrize(
    ("variables", "address", "sentence"),
    [
        ({}, "s3://no-such-bucket", "there is no bucket 'no-such-bucket'. Correct 'store' in the provider YAML, or AWS_ENDPOINT_URL."),
        ({"AWS_ACCESS_KEY_ID": "NOBODY"}, "", "it knows no such key. Correct AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN where it is set."),
        ({"AWS_SECRET_ACCESS_KEY": f"{SECRET}-wr0ng"}, "", "the secret does not belong to the key. Correct AWS_SECRET_ACCESS_KEY, AWS_ACCESS_KEY_ID or AWS_REGION."),
        (
            {"AWS_ACCESS_KEY_ID": "SHELFCASTSTRANGER", "AWS_SECRET_ACCESS_KEY": "c4n4ry-s3cr3t-of-a-stranger"},
            "",
            "who is named by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY may not list there. Let them, or name others.",
        ),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "", "there are no credentials for it. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "", "Missing SecretAccessKey. Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "", "no server answers there. Check that it runs, and AWS_ENDPOINT_URL. It was asked for at http://127.0.0.1:1."),
        ({"AWS_ENDPOINT_URL": "http://nowhere.invalid"}, "", "no server answers there. Check that it runs, and AWS_ENDPOINT_URL."),
        ({"AWS_ENDPOINT_URL": "127.0.0.1"}, "", "expected an address like https://storage.example.com:9000 in AWS_ENDPOINT_URL, came another text."),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"}, "", "expected an address like https://storage.example.com:9000 in AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": f"http://{SECRET}:x@127.0.0.1:1"}, "", "no server answers there."),
        ({"AWS_SECRET_ACCESS_KEY": f"{SECRET}\nmore"}, "", "expected one line of plain characters in AWS_SECRET_ACCESS_KEY, came others. Correct it."),
        ({"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "", "It was asked for at http://127.0.0.1:1."),
        ({"AWS_SESSION_TOKEN": "t0k3n-0f-n0b0dy"}, "", "Correct AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN where it is set."),
        ({"AZURE_STORAGE_ACCOUNT_NAME": "a b/c?", "AZURE_STORAGE_ACCOUNT_KEY": "c4n4ry"}, "az://container/folder", "expected letters, digits and hyphens in AZURE_STORAGE_ACCOUNT_NAME"),
        ({"AZURE_STORAGE_ACCOUNT_NAME": "abc", "AZURE_STORAGE_ACCOUNT_KEY": "YzRuNHJ5", "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1"}, "az://container/folder", "no server answers there. Check that it runs, and AZURE_STORAGE_ENDPOINT."),
        ({"AWS_REGION": "no where"}, "", "expected letters, digits and hyphens in AWS_REGION, came others. Correct it."),
        ({}, "az://container/folder", "Account must be specified. Correct AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
        ({"GOOGLE_SERVICE_ACCOUNT": "/nowhere/key.json"}, "gs://bucket/folder", "No such file or directory"),
    ],
)  # fmt: skip
def test_no_way_into_a_store_is_told_with_the_variable_that_helps_and_no_secret(
    variables: dict[str, str], address: str, sentence: str, shop: Path, lake: Lake, bucket: S3Store, provider: ProviderSpec, fetched: Fetch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(stores, "CONNECT_SECONDS", 2)
    found = fetched(provided(shop, address) if address else provider, **variables)
    assert len(found.left_out) == 1
    [message] = found.left_out
    assert sentence in message
    assert message.startswith(f"{address or f's3://{name_of(bucket)}'}: ")
    assert not any(secret in message for secret in (SECRET, "c4n4ry", "t0k3n"))
    assert "\n" not in message
    assert standing(lake) == {}


def test_a_store_without_anything_that_is_asked_for_is_told(shop: Path, lake: Lake, bucket: S3Store, fetched: Fetch) -> None:
    obstore.put(bucket, "elsewhere/stores.csv", b"")
    [message] = fetched(provided(shop, f"s3://{name_of(bucket)}")).left_out
    assert message.startswith(f"s3://{name_of(bucket)}: expected objects like stores.csv, products.csv, shipments/*.csv,")
    assert message.endswith("came 1 of which none is. Correct 'store' or 'files' in the provider YAML.")


def test_two_fetches_at_once_take_turns(lake: Lake, provider: ProviderSpec, proxy: Proxy, fetched: Fetch) -> None:
    proxy.pause = lambda _: 0.05
    results: list[Fetched] = []
    both = [threading.Thread(target=lambda: results.append(fetched(provider, AWS_ENDPOINT_URL=proxy.address))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(len(found.written) for found in results) == [0, 8]
    assert len(proxy.read) == 8


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("s3://key:c4n4ry@bucket", "expected a bucket, with or without a folder in it, like s3://bucket/folder"),
        ("s3://bucket/../other", "expected a bucket"),
        ("s3://bucket//folder", "expected a bucket"),
        ("https://c4n4ry.example.com/bucket", "expected a bucket"),
        ("s3://bucket?key=c4n4ry", "expected a bucket"),
        ("bucket", "expected a bucket"),
    ],
)
def test_an_address_that_is_none_is_refused_with_file_line_and_key_and_not_repeated(address: str, problem: str, shop: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"stored.yaml breaks the rules: line 4, key store: {problem}") as told:
        provided(shop, f'"{address}"')
    assert "c4n4ry" not in str(told.value)


def test_a_source_is_either_a_query_or_in_a_store(shop: Path) -> None:
    query = "- files: stores.parquet\n      format: parquet\n      database: ERP\n      query: select 1\n      store: s3://bucket\n"
    with pytest.raises(ConfigurationError, match="expected one of 'query' \\(rows of a database\\) and 'store'"):
        provided(shop, "s3://bucket", ("- files: stores.csv\n      format: csv\n", query))
