"""Files as other programs leave them, found by attacking take-in: taken as they are meant, or told with what to do."""

import io
import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from transforms.adapters import FileRows, load_provider, read_file
from transforms.calendar import blocks_of
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, ingest, ingest_reference, pending, readings, refused_files, register

PROVIDER = """
name: shop
description: test
sources:
  stores:
    - {files: stores.csv, format: csv, columns: {store_id: id, region: {column: area, clean: key}, format: kind}}
  products:
    - {files: products.csv, format: csv, columns: {product_id: sku, case_pack: pack, price: price}}
  shipments:
    - files: "shipments/*"
      format: csv
      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}
"""
STORES = "id,area,kind\n101,North Texas,large\n102,North Texas,small\n"
PRODUCTS = "sku,pack,price\nA,6,2.50\nB,12,1.00\n"
ROWS = "id,sku,week,units\n101,A,2024-05-06,12\n102,B,2024-05-06,24\n"
LINES = '{"id":"101","sku":"A","week":"2024-05-06","units":12}\n{"id":"102","sku":"B","week":"2024-05-06","units":24}\n'
TAKEN = [("101", date(2024, 5, 6), 12), ("102", date(2024, 5, 6), 24)]

TakeIn = Callable[..., tuple[list[tuple[str, date, int]], dict[str, str]]]


@pytest.fixture
def take_in(tmp_path: Path) -> TakeIn:
    """Take in one file of shipments; further arguments are pairs of a text of the YAML and what is to stand there instead."""

    def take(name: str, content: bytes, *replaced: tuple[str, str]) -> tuple[list[tuple[str, date, int]], dict[str, str]]:
        drops = tmp_path / "drops"
        (drops / "shipments").mkdir(parents=True)
        (drops / "stores.csv").write_text(STORES)
        (drops / "products.csv").write_text(PRODUCTS)
        (drops / "shipments" / name).write_bytes(content)
        lake, provider = Lake(str(tmp_path / "lake")), load_provider(str(written(tmp_path, *replaced)))
        drop(lake, provider, drops)
        register(lake, provider, datetime(2024, 12, 1, tzinfo=UTC))
        ingest_reference(lake, provider)
        ingest(lake, provider, blocks_of(pending(lake, provider)))
        rows = lake.read("bronze/shipments").to_pylist() if lake.exists("bronze/shipments") else []
        refused = {notice.source_file: notice.message for notice in refused_files(lake, provider)}
        return sorted((row["store_id"], row["week"], row["units_shipped"]) for row in rows), refused

    return take


def written(folder: Path, *replaced: tuple[str, str]) -> Path:
    text = PROVIDER
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path = folder / "provider.yaml"
    path.write_text(text)
    return path


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "replaced"),
    [
        pytest.param("s.csv", ROWS.encode() + b"\x1a", [], id="ctrl_z_at_the_end_of_a_file_of_an_old_program"),
        pytest.param("s.csv", ROWS.encode() + b"\x1a" * 80, [], id="a_last_block_filled_with_ctrl_z"),
        pytest.param("x" * 247 + ".csv", ROWS.encode(), [], id="a_name_as_long_as_names_may_be"),
        pytest.param("s.jsonl", b"\xef\xbb\xbf" + LINES.encode(), [("shipments/*\"\n      format: csv", "shipments/*\"\n      format: jsonl")],
                     id="a_byte_order_mark_before_json_lines"),
        pytest.param("s.jsonl", LINES.encode("utf-16"), [("shipments/*\"\n      format: csv", "shipments/*\"\n      format: jsonl\n      encoding: utf-16")],
                     id="json_lines_in_utf_16"),
        pytest.param("s.zip", archive({"a.csv": ROWS.encode(), "__MACOSX/._a.csv": b"\0\5\x16\7"}),
                     [("shipments/*\"\n      format: csv", "shipments/*\"\n      format: csv\n      member: \"*.csv\"")],
                     id="what_macos_packs_beside_each_file"),
    ],
)  # fmt: skip
def test_files_are_taken_whole(take_in: TakeIn, name: str, content: bytes, replaced: list[tuple[str, str]]) -> None:
    assert take_in(name, content, *replaced) == (TAKEN, {})


def test_a_line_that_is_no_json_is_told_by_its_own_number(take_in: TakeIn) -> None:
    """The line behind it was named."""
    as_lines = ('shipments/*"\n      format: csv', 'shipments/*"\n      format: jsonl')
    rows, refused = take_in("s.jsonl", LINES.encode() + b'{"id":\n' + LINES.encode(), as_lines)
    assert rows == []
    assert "s.jsonl, row 3: expected a JSON object in each line" in refused["shipments/s.jsonl"]


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (ROWS.replace(",", ";"), "is ';' their 'delimiter'?"),
        (ROWS.replace(",", "\t"), "is '\\t' their 'delimiter'?"),
        ("sep=;\n" + ROWS.replace(",", ";"), "say 'header: 2'"),
        ("sep=,\n" + ROWS, "say 'header: 2'"),
    ],
)
def test_a_header_of_another_dialect_is_refused_with_the_key_that_helps(take_in: TakeIn, content: str, advice: str) -> None:
    """The message asked to add columns that all stood there."""
    rows, refused = take_in("s.csv", content.encode())
    assert rows == []
    assert advice in refused["shipments/s.csv"]


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("week: week", "week: {column: week, date_format: '%Y-%m', clean: week}", "week.date_format", "a format with year, month and day"),
        ("week: week", "week: {column: week, date_format: '%Y', clean: week}", "week.date_format", "a format with year, month and day"),
        ("week: week", "week: {column: week, date_format: 'DD/MM/YYYY'}", "week.date_format", "a format with year, month and day"),
        ("week: week", "week: {column: week, unit: dozen}", "week.unit", "'unit' for a column of kind integer or number"),
        ("units_shipped: units", "units_shipped: {column: units, width: 5}", "units_shipped.width", "'width' for a column of kind text"),
        ("units_shipped: units", "units_shipped: {column: units, date_format: '%Y'}", "units_shipped.date_format", "a column of kind date"),
        ("units_shipped: units", "units_shipped: {column: units, unit: fahrenheit}", "units_shipped.unit", "a column in degC"),
        ("store_id: id, product", "store_id: {value: yes}, product", "store_id.value", 'quote it: "yes"'),
        ("week: week", "week: {value: 2024-05-06}", "week.value", 'quote it: "2024-05-06"'),
        ("shipments/*\"\n      format: csv", "shipments/*\"\n      format: csv\n      encoding: klingon", "encoding", "came 'klingon'"),
        ("shipments/*\"\n      format: csv", "shipments/*\"\n      format: csv\n      encoding: rot13", "encoding", "came 'rot13'"),
        ("shipments/*\"\n      format: csv", "shipments/*\"\n      format: csv\n      encoding: undefined", "encoding", "came 'undefined'"),
        ("description: test", "description: test\nstations: {Dallas: [96.8, -32.8]}", "stations.Dallas.0", "less than or equal to 90"),
    ],
)  # fmt: skip
def test_a_key_that_would_be_ignored_or_misread_is_told_with_its_place(tmp_path: Path, old: str, new: str, key: str, message: str) -> None:
    """A month's total counted as that of its first week; `value: yes` was store 1."""
    with pytest.raises(ConfigurationError, match=rf"line \d+, key .*{key}: ") as caught:
        load_provider(str(written(tmp_path, (old, new))))
    assert message in str(caught.value)


@pytest.mark.parametrize("date_format", ["%d.%m.%y", "%Y%j", "%G-W%V", "%Y-%W", "%-d %b %Y", "iso_week", "serial", "%m/%d/%Y %H:%M"])
def test_formats_that_name_a_day_or_a_week_are_taken(tmp_path: Path, date_format: str) -> None:
    load_provider(str(written(tmp_path, ("week: week", f"week: {{column: week, date_format: '{date_format}', clean: week}}"))))


def appended(path: Path) -> None:
    with path.open("a") as stream:
        stream.write("102,A,2024-05-06,6\n")


def replaced_by_another(path: Path) -> None:
    other = path.with_suffix(".part")
    other.write_text(ROWS.replace("24\n", "30\n"))
    other.replace(path)


WRITING: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "appended to": (appended, "it was written while it was read", 3),
    "replaced": (replaced_by_another, "it was written while it was read", 2),
    "truncated": (lambda path: os.truncate(path, len(ROWS) - 20), "it was written while it was read", 1),
    "removed": (Path.unlink, "it was removed while it was read. Drop it again, or leave it away.", 0),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", WRITING)
def test_a_file_that_is_written_during_a_look_waits_for_the_next_one(kind: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows were taken under the hash of another content, or a traceback ended the look at all files."""
    write, message, rows = WRITING[kind]
    drops = tmp_path / "drops"
    (drops / "shipments").mkdir(parents=True)
    for name, text in {
        "stores.csv": STORES,
        "products.csv": PRODUCTS,
        "shipments/s.csv": ROWS,
        "shipments/t.csv": ROWS.replace("05-06", "05-13"),
    }.items():
        (drops / name).write_text(text)
    lake, provider = Lake(str(tmp_path / "lake")), load_provider(str(written(tmp_path)))
    drop(lake, provider, drops)
    path = folder(lake, provider) / "shipments" / "s.csv"

    def read_and_write(*arguments: Any) -> FileRows:
        found = read_file(*arguments)
        if arguments[3] == path:
            write(path)
        return found

    def before(told: str) -> None:
        if "shipments/s.csv" in told and when == "before":
            write(path)

    if when == "after":
        monkeypatch.setattr(readings, "read_file", read_and_write)
    found = register(lake, provider, datetime(2024, 12, 1, tzinfo=UTC), before)
    [notice] = found.growing
    assert notice.message.startswith(f"shipments/s.csv: {message}")
    assert found.refused == []
    assert [file.name for file in found.accepted if file.source == "shipments"] == ["shipments/t.csv"]
    monkeypatch.undo()
    register(lake, provider, datetime(2024, 12, 2, tzinfo=UTC))
    assert refused_files(lake, provider) == []
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    assert lake.read("bronze/shipments").num_rows == 2 + rows


def test_content_that_comes_back_after_it_was_written_during_a_look_is_read(tmp_path: Path) -> None:
    """The version that could not be read was on record as refused, and would have stayed so."""
    drops = tmp_path / "drops"
    (drops / "shipments").mkdir(parents=True)
    for name, text in {"stores.csv": STORES, "products.csv": PRODUCTS, "shipments/s.csv": ROWS}.items():
        (drops / name).write_text(text)
    lake, provider = Lake(str(tmp_path / "lake")), load_provider(str(written(tmp_path)))
    drop(lake, provider, drops)
    path = folder(lake, provider) / "shipments" / "s.csv"
    register(lake, provider, datetime(2024, 12, 1, tzinfo=UTC), lambda told: os.utime(path, (0, 0)) if "shipments/s.csv" in told else None)
    found = register(lake, provider, datetime(2024, 12, 2, tzinfo=UTC))
    assert [file.name for file in found.accepted] == ["shipments/s.csv"]


def test_a_file_that_grows_while_it_is_copied_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drops = tmp_path / "drops"
    (drops / "shipments").mkdir(parents=True)
    for name, text in {"stores.csv": STORES, "products.csv": PRODUCTS, "shipments/s.csv": ROWS, "shipments/t.csv": f"{ROWS}\n"}.items():
        (drops / name).write_text(text)
    lake, provider = Lake(str(tmp_path / "lake")), load_provider(str(written(tmp_path)))

    def copied(source: IO[bytes], target: IO[bytes]) -> None:
        content = source.read()
        target.write(content)
        if content == ROWS.encode():
            appended(drops / "shipments" / "s.csv")

    monkeypatch.setattr(shutil, "copyfileobj", copied)
    found = drop(lake, provider, drops)
    [left] = found.left_out
    assert left.startswith("shipments/s.csv was not copied: it was written while it was read")
    assert not (folder(lake, provider) / "shipments" / "s.csv").exists()
    assert (folder(lake, provider) / "shipments" / "t.csv").exists()
