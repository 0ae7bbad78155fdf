"""Odd files in landing: each is refused with its reason, within bounded time and memory, and all others are taken in."""

import gzip
import io
import os
import re
import socket
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.settings import use_root
from orchestration.views.board import show_status
from transforms.adapters import FileRows, ProviderSpec, load_provider, reader
from transforms.adapters.formats import bounds, sandbox, workbooks
from transforms.calendar import blocks_of
from transforms.errors import ConfigurationError, LandingFileRefused
from transforms.lake.tables import Lake
from transforms.landing import FileNotice, drop, folder, ingest, ingest_reference, pending, readings, refused_files, register
from transforms.landing.odd_files import printable

NOW = datetime(2022, 6, 1, tzinfo=UTC)
COLUMNS = {"store_id": "id", "product_id": "sku", "week": "week", "units_shipped": "units"}
ROWS = [["id", "sku", "week", "units"], ["1", "A", "2022-05-16", "12"], ["2", "B", "2022-05-16", "24"]]
MB = 1 << 20


def workbook(rows: list[list[object]], change: Callable[[openpyxl.Workbook], None] = lambda _: None) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(buffer := io.BytesIO())
    return buffer.getvalue()


def replaced(content: bytes, entry: str, text: bytes) -> bytes:
    """A workbook with another text in one of its parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, text if name == entry else source.read(name))
    return buffer.getvalue()


def sheet(rows: bytes) -> bytes:
    start = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return replaced(workbook(ROWS), "xl/worksheets/sheet1.xml", start + rows + b"</sheetData></worksheet>")


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        os.chdir(path.parent)
        there.bind(path.name)


LAUGHS = b'<!DOCTYPE a [<!ENTITY a0 "ha">' + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)) + b"]><a>&a9;</a>"
ODD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a lock file of a spreadsheet": ("books/~$s.xlsx", content(b"\x05Jane" + bytes(160)), "left beside a file|leaves beside a file that is open"),
    "a lock file under another name": ("books/lock.xlsx", content(b"\x05Jane" + bytes(160)), "it is of another format"),
    "HTML called a workbook": ("books/page.xlsx", content(b"<html><table></table></html>"), "it is of another format .it starts with '<html><t'"),
    "CSV called a workbook": ("books/list.xlsx", content(b"id,sku,week,units\n"), "it is of another format"),
    "a workbook with a password": ("books/secret.xlsx", content(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)), "protected by a password or of the old XLS format"),
    "a workbook cut off": ("books/cut.xlsx", lambda path: path.write_bytes(workbook(ROWS)[:3000]), "its end is missing: .* drop it again"),
    "an archive that is no workbook": ("books/zip.xlsx", lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"), "it cannot be read: "),
    "a workbook with garbled XML": ("books/xml.xlsx", lambda path: path.write_bytes(replaced(workbook(ROWS), "xl/workbook.xml", b"<workbook><")), "it cannot be read: "),
    "a workbook of a billion laughs": ("books/laughs.xlsx", lambda path: path.write_bytes(replaced(workbook(ROWS), "xl/workbook.xml", LAUGHS)), "it cannot be read: "),
    "a workbook that expands to much": ("books/bomb.xlsx", lambda path: path.write_bytes(sheet(b" " * 60 * MB)), r"it expands to \d\d,\d+,\d+ bytes"),
    "a workbook of nothing but columns": ("books/wide.xlsx", lambda path: path.write_bytes(sheet(b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(1, 200)))), "spans more than 2,000,000 cells"),
    "a workbook without the sheet": ("named/s.xlsx", content(workbook(ROWS)), r"expected a sheet 'Data', came \['Sheet'\]"),
    "a workbook with a column twice": ("books/twice.xlsx", content(workbook([[*ROWS[0], "sku"], ["1", "A", "2022-05-16", "1", "B"]])), "columns 2 and 5 are both called 'sku'"),
    "a workbook with values beyond its header": ("books/beyond.xlsx", content(workbook([ROWS[0], [*ROWS[1], "?"]])), "row 1, column row: .*came a value in column 5, right of the header"),
    "a folder": ("shipments/out.csv", lambda path: path.mkdir(), "expected a file, came a folder"),
    "a dangling link": ("shipments/gone.csv", lambda path: path.symlink_to("nowhere"), "it is a link to a file that is not there"),
    "a link to itself": ("shipments/loop.csv", lambda path: path.symlink_to("loop.csv"), "it is a link to a file that is not there"),
    "a link that leads outside": ("shipments/passwd.csv", lambda path: path.symlink_to("/etc/passwd"), "it is a link that leads out of the landing folder"),
    "a pipe": ("shipments/pipe.csv", os.mkfifo, "expected a file, came a pipe"),
    "a socket": ("shipments/socket.csv", listening, "expected a file, came a socket or a device"),
    "a file without end": ("shipments/sparse.csv", lambda path: [path.touch(), os.truncate(path, 1 << 42)], "expected at most 32 GiB, came 4096 GiB"),
    "a name that is not UTF-8": (os.fsdecode(b"shipments/caf\xe9.csv"), content(b"id,sku,week,units\n1,A,2022-05-16,1\n"), "expected a file name in UTF-8"),
    "a name of two lines": ("shipments/a.csv\n2022-05-16 accepted.csv", content(b"id,sku,week,units\n1,A,2022-05-16,1\n"), "its name holds U\\+000A, which shows it as what it is not. Rename the file"),
    "a name that is turned round": ("shipments/\u202evsc.tpircs.csv", content(b"id,sku,week,units\n1,A,2022-05-16,1\n"), "shipments/\\\\u202evsc.tpircs.csv: its name holds U\\+202E"),
    "JSON that is nested deeply": ("lines/deep.jsonl", content(b'{"id": "1", "x": ' + b"[" * 500_000 + b"]" * 500_000 + b"}\n"), "row 1: expected a flat JSON object"),
    "JSON that is nested deeply and compressed": ("lines/deep.jsonl.gz", content(gzip.compress(b'{"id": 1}\n{"x": ' + b'{"a":' * 300_000 + b"1" + b"}" * 300_001)), "row 2: expected a flat JSON object"),
    "JSON in one line without end": ("lines/long.jsonl", content(b'{"id": "' + b"x" * 40 * MB), "expected a JSON object in a line of at most 16 MiB"),
    "CSV with a name for every value": ("shipments/wide.csv", content(b",".join(b"c%d" % n for n in range(6000)) + b"\n" + b"," * 5999), "expected at most 4,000 columns, came 6,000"),
    "JSON with a name for every value": ("lines/names.jsonl", content(b"".join(b'{"c%d": 1}\n' % n for n in range(6000))), "expected at most 4,000 columns, came 6,000"),
    "a compressed file that expands to much": ("packed/bomb.csv.gz", content(gzip.compress(b"id,sku,week,units\n" + b"1,A,2022-05-16,12\n" * 3 * MB)), "expected at most .* once expanded"),
    "a compressed file cut off": ("packed/cut.csv.gz", content(gzip.compress(os.urandom(100_000))[:50_000]), "packed/cut.csv.gz: expected a "),
    "a compressed file that is none": ("packed/none.csv.gz", content(b"id,sku,week,units\n1,A,2022-05-16,12\n"), "packed/none.csv.gz: expected gzip, as its name says, came something else"),
    "Parquet cut off": ("rows/cut.parquet", content(b"PAR1" + bytes(500)), "rows/cut.parquet: expected a readable parquet file"),
    "not a byte": ("rows/empty.parquet", content(b""), "came an empty file"),
}  # fmt: skip


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    spec = yaml.safe_load((shop / "corner_shop.yaml").read_text())
    spec["sources"]["shipments"] += [
        {"files": "books/*.xlsx", "format": "xlsx", "columns": COLUMNS},
        {"files": "named/*.xlsx", "format": "xlsx", "sheet": "Data", "columns": COLUMNS},
        {"files": "lines/*.jsonl*", "format": "jsonl", "columns": COLUMNS},
        {"files": "packed/*.csv.gz", "format": "csv", "columns": COLUMNS},
        {"files": "rows/*.parquet", "format": "parquet", "columns": COLUMNS},
    ]
    (shop / "corner_shop.yaml").write_text(yaml.safe_dump(spec))
    return load_provider(str(shop / "corner_shop.yaml"))


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that tests reach in a second."""
    monkeypatch.setattr(bounds, "MAX_EXPANDED", 20 * MB)
    monkeypatch.setattr(workbooks, "MAX_EXPANDED", 20 * MB)
    monkeypatch.setattr(workbooks, "MAX_CELLS", 2_000_000)
    # `listening` moves there, since names of sockets are short.
    monkeypatch.chdir(Path.cwd())


def landed(lake: Lake, provider: ProviderSpec, shop: Path) -> Path:
    drop(lake, provider, shop)
    top = folder(lake, provider)
    for name in ("books", "named", "lines", "packed", "rows"):
        (top / name).mkdir()
    (top / "books" / "good.xlsx").write_bytes(workbook(ROWS))
    return top


def take_in(lake: Lake, provider: ProviderSpec) -> list[FileNotice]:
    register(lake, provider, NOW)
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    return refused_files(lake, provider)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_refused_and_all_others_are_taken_in(name: str, shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    place, make, reason = ODD[name]
    make(landed(lake, provider, shop) / place)
    started = time.monotonic()
    (refused,) = take_in(lake, provider)
    assert time.monotonic() - started < 60
    assert refused.source_file == printable(Path(place))
    assert refused.message.startswith(refused.source_file)
    assert re.search(reason, refused.message), refused.message
    assert lake.read("bronze/shipments", columns="sum(units_shipped) as n")["n"].to_pylist() == [12 + 24 + 6 + 18 + 12 + 12 + 24]


def test_what_cannot_be_copied_is_told_and_all_others_are_copied(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    """Copying a pipe waited for ever, a folder or a dangling link ended `init` in a traceback."""
    odd = {
        place: (make, reason)
        for place, make, reason in ODD.values()
        if place.startswith("shipments/") and "landing folder" not in reason and "columns" not in reason
    }
    for place, (make, _) in odd.items():
        make(shop / place)
    (shop / "shipments" / "link.csv").symlink_to(shop / "shipments" / "2022-05-02.csv")
    lake = Lake(str(tmp_path / "lake"))
    dropped = drop(lake, provider, shop)
    assert len(dropped.left_out) == len(odd)
    for place, (_, reason) in odd.items():
        name = printable(Path(place))
        assert re.search(f"{re.escape(name)} was not copied: .*{reason.rpartition(': ')[2]}", "\n".join(dropped.left_out))
    there = folder(lake, provider) / "shipments"
    assert sorted(path.name for path in there.iterdir()) == ["2022-05-02.csv", "2022-05-09.csv", "link.csv"]
    assert not (there / "link.csv").is_symlink()


def test_a_needed_source_that_cannot_be_copied_stops_with_its_reason(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    (shop / "stores.csv").unlink()
    os.mkfifo(shop / "stores.csv")
    with pytest.raises(
        ConfigurationError, match=r"holds no file for source 'stores' that can be read: stores.csv was not copied: expected a file, came a pipe"
    ):
        drop(Lake(str(tmp_path / "lake")), provider, shop)


def test_a_name_that_could_not_be_read_is_looked_at_again_when_it_changes(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    path = landed(lake, provider, shop) / "shipments" / "late.csv"
    path.symlink_to(tmp_path / "lake" / "landing" / "corner_shop" / "parked")
    assert "a link to a file that is not there" in take_in(lake, provider)[0].message
    on_record = lake.read("bronze/landing_files").num_rows
    take_in(lake, provider)
    assert lake.read("bronze/landing_files").num_rows == on_record
    path.unlink()
    os.mkfifo(path)
    assert "came a pipe" in take_in(lake, provider)[0].message
    path.unlink()
    path.write_text("id,sku,week,units\n1,A,2022-05-23,7\n")
    assert take_in(lake, provider) == []
    assert lake.read("bronze/shipments", where="week = '2022-05-23'", columns="units_shipped")["units_shipped"].to_pylist() == [7]


def test_a_file_that_becomes_odd_keeps_what_it_had_filled(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    path = landed(lake, provider, shop) / "shipments" / "2022-05-02.csv"
    take_in(lake, provider)
    path.unlink()
    path.mkdir()
    assert len(take_in(lake, provider)) == 1
    assert lake.read("bronze/shipments", columns="sum(units_shipped) as n")["n"].to_pylist() == [12 + 24 + 6 + 18 + 12 + 12 + 24]


def test_a_command_names_odd_files_and_status_does_so_afterwards(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    for kind in ("HTML called a workbook", "JSON that is nested deeply", "a pipe"):
        place, make, _ = ODD[kind]
        (shop / place).parent.mkdir(exist_ok=True)
        make(shop / place)
    root = str(tmp_path / "lake")
    made = CliRunner().invoke(app, ["init", "--provider", str(shop / "corner_shop.yaml"), "--landing", str(shop), "--root", root, "--local"])
    assert made.exit_code == 1
    for told in (
        "3 left out",
        "books/page.xlsx: expected a workbook (xlsx)",
        "lines/deep.jsonl, row 1: expected a flat JSON",
        "shipments/pipe.csv was not copied: expected a file",
    ):
        assert told in " ".join(made.output.split())
    show_status(use_root(root), Console(file=(text := io.StringIO()), width=160))
    for told in ("2 files refused", "books/page.xlsx: expected a workbook (xlsx)"):
        assert told in " ".join(text.getvalue().split())
    assert Lake(root).read("gold/demand").num_rows == 5


def test_short_rows_and_blank_rows_of_a_workbook_are_read(shop: Path, provider: ProviderSpec, tmp_path: Path) -> None:
    """A workbook without its extent, rows of unequal length, and formatted rows below the data."""
    lake = Lake(str(tmp_path / "lake"))
    rows = b"".join(
        b'<row r="%d">%s</row>' % (at, b"".join(b'<c t="inlineStr"><is><t>%s</t></is></c>' % cell for cell in cells))
        for at, cells in enumerate(
            [(b"id", b"sku", b"week", b"units", b"note"), (b"1", b"A", b"2022-05-16", b"12"), (b"2", b"B", b"2022-05-16", b"24")], start=1
        )
    )
    top = landed(lake, provider, shop)
    (top / "books" / "good.xlsx").write_bytes(sheet(rows + b"".join(b'<row r="%d"><c r="A%d" s="0"/></row>' % (n, n) for n in range(4, 3000))))
    assert take_in(lake, provider) == []
    assert lake.read("bronze/quarantine").num_rows == 0
    assert lake.read("bronze/shipments", where="week = '2022-05-16'", columns="sum(units_shipped) as n")["n"].to_pylist() == [36]


@pytest.mark.parametrize(("limit", "value", "told"), [("MEMORY", 40 * MB, "GiB of memory"), ("READ_SECONDS", 0.001, "seconds")])
def test_a_parser_that_takes_too_much_is_stopped(
    limit: str, value: float, told: str, shop: Path, provider: ProviderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small Parquet file can hold millions of equal rows."""
    rows = pa.table({name: pa.repeat(value, 4_000_000) for name, value in zip(ROWS[0], ("1", "A", "2022-05-16", "1"), strict=True)})
    lake = Lake(str(tmp_path / "lake"))
    pq.write_table(rows, landed(lake, provider, shop) / "rows" / "equal.parquet")
    sound = reader.read_file

    def limited(*arguments: Any) -> FileRows:
        with monkeypatch.context() as patch:
            if arguments[4].startswith("rows/"):
                patch.setattr(sandbox, limit, value)
                patch.setattr(sandbox, "SPILL", MB)
            return sound(*arguments)

    monkeypatch.setattr(readings, "read_file", limited)
    (refused,) = take_in(lake, provider)
    assert re.search(rf"^rows/equal.parquet: reading it takes more than .* {told}", refused.message)


def test_a_workbook_that_kills_its_reader_leaves_the_next_one_readable(
    shop: Path, provider: ProviderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.xlsx"
    path.write_bytes(workbook([ROWS[0], *[[*ROWS[1][:3], "x" * 1000 + str(n)] for n in range(8000)]]))
    monkeypatch.setattr(workbooks, "_reader", workbooks._Reader())
    with monkeypatch.context() as patch:
        patch.setattr(workbooks, "MEMORY", 20 * MB)
        with pytest.raises(LandingFileRefused, match=r"^s.xlsx: expected a workbook \(xlsx\), but "):
            workbooks.read_sheets(path, path.name, "xlsx", None, None, 1, ".")
    assert workbooks.read_sheets(path, path.name, "xlsx", None, None, 1, ".")[0][1].table.num_rows == 8000


def test_names_that_look_alike_are_told_apart_by_their_code_points(shop: Path, tmp_path: Path) -> None:
    """'It has the same content as shipments/café.csv', said of shipments/café.csv."""
    lake = Lake(str(tmp_path / "lake"))
    provider = load_provider(str(shop / "corner_shop.yaml"))
    drop(lake, provider, shop)
    for name in ("caf\u00e9.csv", "cafe\u0301.csv"):
        (folder(lake, provider) / "shipments" / name).write_text("id,sku,week,units\n1,A,2022-05-02,7\n")
    told = [notice.message for notice in register(lake, provider, datetime(2022, 6, 1, tzinfo=UTC)).noticed]
    [message] = [message for message in told if "has the same content" in message]
    assert "look alike" in message
    assert r"caf\xe9" in message
    assert r"cafe\u0301" in message


def test_a_folder_without_files_is_told_with_all_that_was_expected(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "shipments").mkdir(parents=True)
    provider = load_provider(str(shop / "corner_shop.yaml"))
    with pytest.raises(
        ConfigurationError, match=r"holds no files at all: provider 'corner_shop' needs stores in stores\.csv; .*shipments in shipments/\*"
    ):
        drop(Lake(str(tmp_path / "lake")), provider, tmp_path / "empty")
