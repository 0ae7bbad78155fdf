"""Files of the forms that partners send: totals below, several sheets, columns without names, weeks side by side, keys in the file's name."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from benchmarks.file_writers import rezipped
from transforms.adapters import FileRows, ProviderSpec, References, load_provider, read_file
from transforms.adapters.formats import archives
from transforms.contracts import SOURCES
from transforms.errors import ConfigurationError, LandingFileRefused

NOW = datetime(2024, 6, 1, tzinfo=UTC)
COLUMNS = {"store_id": "store", "product_id": "sku", "week": "week", "units_shipped": "units"}
STORES, PRODUCTS = ("1", "2", "3"), ("A", "B")


def provider(folder: Path, **shipments: Any) -> ProviderSpec:
    """A provider of shipments with these keys, as a YAML file says them."""
    key = {"files": "x", "format": "csv", "columns": {name: name for name in ("store_id", "region", "format", "product_id", "case_pack")}}
    sources = {
        "stores": [{**key, "columns": {name: name for name in ("store_id", "region", "format")}}],
        "products": [{**key, "columns": {name: name for name in ("product_id", "case_pack")}}],
        "shipments": [{"files": "*", "format": "csv", "columns": COLUMNS, **shipments}],
    }
    path = folder / "provider.yaml"
    path.write_text(yaml.safe_dump({"name": "shop", "description": "A shop.", "refuse_above": 0.6, "sources": sources}))
    return load_provider(str(path))


def references() -> References:
    stores = [dict.fromkeys(SOURCES["stores"].names) | {"store_id": store, "region": "ohio"} for store in STORES]
    products = [dict.fromkeys(SOURCES["products"].names) | {"product_id": product, "case_pack": 6} for product in PRODUCTS]
    return References(pa.Table.from_pylist(stores, SOURCES["stores"].schema), pa.Table.from_pylist(products, SOURCES["products"].schema))


def read(folder: Path, name: str, source: str = "shipments", **keys: Any) -> FileRows:
    """What a file gives; every record of it has to be accounted for."""
    spec = provider(folder, **keys)
    found = read_file(spec, source, spec.sources[source][0], folder / name, name, references(), NOW)
    counts = found.counts
    assert counts.records == counts.aside + counts.taken + counts.skipped + counts.repeated + counts.quarantined
    return found


def units(found: FileRows) -> list[tuple[str, str, date, int]]:
    return sorted(tuple(row[name] for name in COLUMNS) for row in found.rows.to_pylist())


def written(folder: Path, name: str, *lines: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return name


def book(folder: Path, name: str, sheets: Mapping[str, Sequence[Sequence[object]]], hidden: Sequence[str] = ()) -> str:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        if title in hidden:
            sheet.sheet_state = "hidden"
    content = io.BytesIO()
    made.save(content)
    (folder / name).write_bytes(content.getvalue())
    return name


HEADER = "store,sku,week,units"
WEEK = date(2024, 3, 4)


def test_totals_and_notes_below_the_rows_are_left_aside_and_counted(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", HEADER, "1,A,2024-03-04,6", "2,B,2024-03-04,12", "Total,,,18", "printed on 5 March", "3,A,2024-03-04,1")
    found = read(tmp_path, name, rows_end={"column": "store", "equals": "Total"})
    assert units(found) == [("1", "A", WEEK, 6), ("2", "B", WEEK, 12)]
    assert (found.counts.read, found.counts.skipped, found.counts.quarantined) == (5, 3, 0)


def test_a_total_with_fewer_values_than_the_header_is_known_as_one(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", HEADER, "1,A,2024-03-04,6", "Grand total,6")
    found = read(tmp_path, name, rows_end={"column": "store", "starting_with": "Grand"})
    assert (found.counts.skipped, found.counts.quarantined) == (1, 0)
    assert read(tmp_path, name, rows={"column": "store", "not_in": ["Grand total"]}).counts.skipped == 1


def test_a_row_of_a_kind_that_no_mapping_names_is_in_quarantine_and_not_gone(tmp_path: Path) -> None:
    """Shipments took `in: [S]` and returns `not_in: [S]`: each row belongs to one of the two, an empty kind too."""
    name = written(tmp_path, "s.csv", f"{HEADER},kind", "1,A,2024-03-04,6,S", "1,B,2024-03-04,6, S ", "2,A,2024-03-04,5,X", "3,A,2024-03-04,5,")
    kept = read(tmp_path, name, rows={"column": "kind", "in": ["S"]})
    others = read(tmp_path, name, rows={"column": "kind", "not_in": ["S"]})
    assert [row[3] for row in units(kept)] == [6, 6]
    assert [row[3] for row in units(others)] == [5, 5]
    several = read(tmp_path, name, rows=[{"column": "kind", "in": ["S", "X"]}, {"column": "store", "not_in": ["2"]}])
    assert (several.counts.taken, several.counts.skipped) == (2, 2)


def test_credits_in_the_column_of_deliveries_are_told_by_their_sign(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", HEADER, "1,A,2024-03-04,6", "1,B,2024-03-04,4-", "2,A,2024-03-04,0", "2,B,2024-03-04,lots")
    columns = {**COLUMNS, "units_shipped": {"column": "units", "negative": "trailing"}}
    shipped = read(tmp_path, name, columns=columns, rows={"column": "units", "sign": "positive"})
    assert [row[3] for row in units(shipped)] == [6, 0]
    assert (shipped.counts.skipped, shipped.counts.quarantined) == (1, 1)
    columns["units_shipped"] |= {"negate": True}
    returned = read(tmp_path, name, columns=columns, rows={"column": "units", "sign": "negative"})
    assert [row[3] for row in units(returned)] == [4]
    assert (returned.counts.skipped, returned.counts.quarantined) == (3, 0)


def test_weeks_side_by_side_become_rows_and_an_empty_cell_none(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", "store,sku,2024-03-04,2024-03-11,total", "1,A,6,12,18", "2,B,,3,3", "3,A, ,,0")
    melt = {"columns": "2024-*", "name": "week_text", "value": "cell"}
    columns = {**COLUMNS, "week": "week_text", "units_shipped": "cell"}
    expected = [("1", "A", WEEK, 6), ("1", "A", date(2024, 3, 11), 12), ("2", "B", date(2024, 3, 11), 3)]
    found = read(tmp_path, name, melt=melt, columns=columns)
    assert units(found) == expected
    assert (found.counts.melted, found.counts.empty_cells, found.counts.taken, found.counts.records) == (3, 3, 3, 7)
    others = {"columns": "all others", "without": ["total"], "name": "week_text", "value": "cell"}
    assert units(read(tmp_path, name, melt=others, columns=columns)) == expected
    listed = {"columns": ["2024-03-04", "2024-03-11"], "name": "week_text", "value": "cell"}
    assert units(read(tmp_path, name, melt=listed, columns=columns)) == expected


def test_a_bad_cell_of_a_wide_table_costs_this_cell_alone_and_is_told_by_its_record(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", "store,sku,2024-03-04,2024-03-11", "1,A,6,12", "2,B,x,3", "3,A,1", "3,B,1,2")
    melt = {"columns": "all others", "name": "week", "value": "units"}
    found = read(tmp_path, name, melt=melt)
    assert [row[3] for row in units(found)] == [6, 12, 3, 1, 2]
    messages = found.quarantined["message"].to_pylist()
    assert messages[0].startswith("s.csv, row 2, column units_shipped: expected a whole number, came x.")
    assert messages[1].startswith("s.csv, row 3, column row: expected a value for each column of the header, came 3 values.")
    assert (found.counts.melted, found.counts.quarantined) == (3, 2)


def test_two_columns_of_one_week_contradict_each_other_by_record(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", "store,sku,2024-03-04,04.03.2024", "2,A,1,", "2,B,1,", "3,B,1,", "1,A,6,", "1,A,,7")
    columns = {**COLUMNS, "week": {"column": "week", "map": {"04.03.2024": "2024-03-04"}}}
    found = read(tmp_path, name, melt={"columns": "all others", "name": "week", "value": "units"}, columns=columns)
    assert found.counts.quarantined == 2
    expected = "s.csv, row 5, column week: expected one row for each region, store_id, product_id, week, came the key of row 4."
    assert found.quarantined["message"][1].as_py().startswith(expected)


def test_a_wide_parquet_file_keeps_its_numbers(tmp_path: Path) -> None:
    table = pa.table({"store": [1, 2], "sku": ["A", "B"], "2024-03-04": pa.array([6, None], pa.int32()), "2024-03-11": [12.0, 3.0]})
    parquet.write_table(table, tmp_path / "s.parquet")
    found = read(tmp_path, "s.parquet", format="parquet", melt={"columns": "2024-*", "name": "week", "value": "units"})
    assert [row[3] for row in units(found)] == [6, 12, 3]
    assert found.counts.empty_cells == 1


def test_a_wide_table_without_a_week_is_refused_with_its_columns(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", "store,sku,2023-01-02", "1,A,6")
    with pytest.raises(LandingFileRefused, match=r"^s.csv: expected columns like '2024-\*' to be melted, came \['store', 'sku', '2023-01-02'\]"):
        read(tmp_path, name, melt={"columns": "2024-*", "name": "week", "value": "units"})
    name = written(tmp_path, "t.csv", "store,sku,units,2024-01-01", "1,A,6,5")
    with pytest.raises(LandingFileRefused, match=r"^t.csv: the columns \['units'\] stand in the file, and the provider YAML gives their names"):
        read(tmp_path, name, melt={"columns": "2024-*", "name": "week", "value": "units"})


def test_region_and_week_in_the_name_of_the_file_are_columns(tmp_path: Path) -> None:
    name = written(tmp_path, "ship/1/2024-03-04.csv", "sku,units", "A,6", "B,2")
    columns = {**COLUMNS, "store_id": "{store}", "week": "{week}"}
    assert units(read(tmp_path, name, path="ship/{store}/{week}.csv", columns=columns)) == [("1", "A", WEEK, 6), ("1", "B", WEEK, 2)]
    expression = r"ship/(?P<store>\d+)/(?P<week>[-\d]+)\.csv"
    assert len(units(read(tmp_path, name, path=expression, columns=columns))) == 2
    with pytest.raises(
        LandingFileRefused, match=r"^ship/1/2024-03-04.csv: expected a name like 'ship/week-\{week\}.csv', which tells week. Rename the file"
    ):
        read(tmp_path, name, path="ship/week-{week}.csv", columns={**COLUMNS, "week": "{week}"})


def test_sheets_of_regions_are_read_as_one_table_with_the_name_of_each(tmp_path: Path) -> None:
    rows = [["sku", "week", "units"], ["A", WEEK, 6], ["B", WEEK, 2]]
    other = [["units", "sku", "week", "note"], [1, "A", WEEK, "late"], ["x", "B", WEEK, None]]
    name = book(tmp_path, "s.xlsx", {"1": rows, "notes": [["hello"]], "2": other, "3": rows}, hidden=["3"])
    columns = {**COLUMNS, "store_id": "{sheet}"}
    found = read(tmp_path, name, format="xlsx", sheet=["1", "2"], columns=columns)
    assert units(found) == [("1", "A", WEEK, 6), ("1", "B", WEEK, 2), ("2", "A", WEEK, 1)]
    assert found.quarantined["message"][0].as_py().startswith("s.xlsx, sheet '2', row 2, column units_shipped: expected a whole number, came x.")
    assert found.counts.records == 6
    # The third is hidden.
    assert units(read(tmp_path, name, format="xlsx", sheets="?", columns=columns)) == units(found)
    with pytest.raises(
        LandingFileRefused,
        match=r"^s.xlsx: expected a workbook \(xlsx\), but expected visible sheets with rows like '2024-\*', came \['1', 'notes', '2'\]",
    ):
        read(tmp_path, name, format="xlsx", sheets="2024-*", columns=columns)
    with pytest.raises(LandingFileRefused, match=r"^s.xlsx, sheet 'notes', row 1 \(header\): columns \['sku', 'units', 'week'\] are missing"):
        read(tmp_path, name, format="xlsx", sheets="*", columns=columns)


def test_weeks_side_by_side_on_several_sheets_are_melted_sheet_by_sheet(tmp_path: Path) -> None:
    sheets = {"1": [["sku", WEEK], ["A", 6]], "2": [["sku", WEEK, date(2024, 3, 11)], ["A", 1, 2], ["B", None, "x"]]}
    name = book(tmp_path, "s.xlsx", sheets)
    columns = {**COLUMNS, "store_id": "{sheet}"}
    found = read(tmp_path, name, format="xlsx", sheets="*", columns=columns, melt={"columns": "all others", "name": "week", "value": "units"})
    assert units(found) == [("1", "A", WEEK, 6), ("2", "A", WEEK, 1), ("2", "A", date(2024, 3, 11), 2)]
    assert found.quarantined["message"][0].as_py().startswith("s.xlsx, sheet '2', row 2, column units_shipped")
    assert found.counts.empty_cells == 1


@pytest.mark.parametrize("header", [0, "none"])
def test_a_file_without_a_header_is_read_by_position_from_its_first_record_on(tmp_path: Path, header: object) -> None:
    columns = {"store_id": {"position": 1}, "product_id": {"position": 2}, "week": {"position": 3}, "units_shipped": {"position": 5}}
    name = written(tmp_path, "s.csv", "1,A,2024-03-04,x,6", "2,B,2024-03-04,y,2")
    expected = [("1", "A", WEEK, 6), ("2", "B", WEEK, 2)]
    assert units(read(tmp_path, name, header=header, columns=columns)) == expected
    made = book(tmp_path, "s.xlsx", {"S": [["1", "A", WEEK, "x", 6], ["2", "B", WEEK, "y", 2]]})
    assert units(read(tmp_path, made, format="xlsx", header=header, columns=columns)) == expected
    name = written(tmp_path, "t.csv", "1,A,2024-03-04,6")
    with pytest.raises(LandingFileRefused, match=r"^t.csv, row 1 \(header\): columns \['\{5\}'\] are missing"):
        read(tmp_path, name, header=header, columns=columns)


def test_columns_by_position_are_told_by_names_beside_them(tmp_path: Path) -> None:
    name = written(tmp_path, "s.csv", "Filiale,Artikel,Woche,Menge", "1,A,2024-03-04,6")
    columns = {"store_id": {"position": 1}, "product_id": "Artikel", "week": {"position": 3}, "units_shipped": {"position": 4}}
    found = read(tmp_path, name, columns=columns)
    assert units(found) == [("1", "A", WEEK, 6)]
    assert found.columns == ("Filiale", "Artikel", "Woche", "Menge")


def test_a_key_in_two_columns_and_two_keys_in_one_are_read(tmp_path: Path) -> None:
    name = written(
        tmp_path, "s.csv", "area,no,article,year,week,units", ",1,x/A/9,2024,10,6", "N,1,x/A/9,2024,10,6", "N,2,xB,2024,10,1", "N,3,x/B/1,2024,10,1"
    )
    columns = {
        "store_id": {"columns": ["area", "no"], "join": "", "map": {"N1": "1", "N2": "2", "N3": "3"}},
        "product_id": {"column": "article", "part": {"separator": "/", "number": -2}},
        "week": {"columns": ["year", "week"], "join": "-W", "date_format": "iso_week"},
        "units_shipped": "units",
    }
    found = read(tmp_path, name, columns=columns)
    assert units(found) == [("1", "A", WEEK, 6), ("3", "B", WEEK, 1)]
    first, second = found.quarantined["message"].to_pylist()
    assert first.startswith("s.csv, row 1, column store_id: expected a value, came (empty).")
    assert second.startswith("s.csv, row 3, column product_id: expected an identifier with all its digits, came xB.")


def packed(folder: Path, name: str, members: Mapping[str, bytes | str]) -> str:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return name


FIELDS = {"store": [1, 3], "sku": [4, 5], "week": [7, 16], "units": [17]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_fields_of_fixed_width_are_counted_in_characters(tmp_path: Path, end: str) -> None:
    """The third line was cut off within its week, the fourth has a tab; \xe9 is two bytes in UTF-8 and one character."""
    lines = ["1  A \xe92024-03-04   6", "2  B \xe92024-03-0412", "3  A  2024-03", "3  B\t 2024-03-04 1", "   ", "3  B  2024-03-04 2"]
    (tmp_path / "s.txt").write_bytes(end.join(lines).encode("utf-8"))
    found = read(tmp_path, "s.txt", format="fixed", fields=FIELDS)
    assert units(found) == [("1", "A", WEEK, 6), ("2", "B", WEEK, 12), ("3", "B", WEEK, 2)]
    first, second = found.quarantined["message"].to_pylist()
    assert first.startswith("s.txt, row 3, column row: expected a value for each column of the header, came 13 characters, which end within 'week'.")
    assert second.startswith(
        "s.txt, row 4, column row: expected a value for each column of the header, came a tab, behind which no position is sure."
    )
    assert (found.counts.records, found.counts.aside) == (6, 1)


def test_a_delimiter_at_the_end_of_every_row_is_no_value(tmp_path: Path) -> None:
    """Such exports were refused whole: five values came for a header of four."""
    rows = [f"{store},A,2024-03-04,6," for store in STORES]
    found = read(tmp_path, written(tmp_path, "s.csv", "store,sku,week,units", *rows, "", ",,,,"))
    assert (found.counts.records, found.counts.aside) == (6, 3)
    assert units(found) == [(store, "A", WEEK, 6) for store in STORES]
    assert found.notes == ("each row ends with more delimiters than the header, by 1: the values behind 'units', all of them empty, are left out",)
    assert found.columns == ("store", "sku", "week", "units")


NOTED = "store,sku,name,week,units,note"


def test_a_row_that_a_delimiter_in_a_name_shifted_goes_to_quarantine_though_its_last_value_is_empty(tmp_path: Path) -> None:
    rows = ("1,A,plain,2024-03-04,6,", "2,B,big, red,2024-03-04,7,", "3,A,plain,2024-03-04,8,")
    found = read(tmp_path, written(tmp_path, "s.csv", NOTED, *rows))
    assert units(found) == [("1", "A", WEEK, 6), ("3", "A", WEEK, 8)]
    [message] = found.quarantined["message"].to_pylist()
    assert "expected a value for each column of the header, came 7 values" in message
    assert found.notes == ()


@pytest.mark.parametrize(
    "rows",
    [
        ("2,B,big, red,2024-03-04,7,",),
        # Other rows of the export end with a delimiter, as this one does.
        ("1,A,plain,2024-03-04,6,,", "2,B,big, red,2024-03-04,7,,", "3,A,plain,2024-03-04,8,,"),
        ("1,A,plain,2024-03-04,6,,", "3,A,plain,2024-03-04,8,,late"),
        # The last one was cut off.
        ("1,A,plain,2024-03-04,6,,", "3,A,plain,2024-03-04,8,,", "2,A,plain,2024"),
    ],
)
def test_a_file_with_rows_of_other_lengths_or_a_value_behind_the_header_is_refused_as_it_was(tmp_path: Path, rows: Sequence[str]) -> None:
    with pytest.raises(LandingFileRefused, match="expected a value for each column of the header, came"):
        read(tmp_path, written(tmp_path, "s.csv", NOTED, *rows))


def test_text_that_goes_on_behind_the_last_field_of_a_fixed_width_file_is_not_cut_in_silence(tmp_path: Path) -> None:
    """Units of three digits became two."""
    (tmp_path / "s.txt").write_text("1  A  2024-03-04  12\n2  B  2024-03-04   299\n3  B  2024-03-04   3   \n1  B  2024-03-04   4  x\n")
    found = read(tmp_path, "s.txt", format="fixed", fields={**FIELDS, "units": [17, 20]})
    assert units(found) == [("1", "A", WEEK, 12), ("1", "B", WEEK, 4), ("3", "B", WEEK, 3)]
    [message] = found.quarantined["message"].to_pylist()
    assert "came '99' at position 21, right behind the last one that 'fields' names: widen the last field there in the provider YAML" in message
    named = read(tmp_path, "s.txt", format="fixed", fields={**FIELDS, "units": [17, 20], "rest": [21]})
    assert units(named) == [("1", "A", WEEK, 12), ("1", "B", WEEK, 4), ("2", "B", WEEK, 2), ("3", "B", WEEK, 3)]


def test_fixed_width_in_another_encoding_compressed_and_with_lines_above_is_read(tmp_path: Path) -> None:
    text = "DELIVERIES\n----\n1  A \xe92024-03-04   6\n\x1a\n"
    (tmp_path / "s.txt.gz").write_bytes(gzip.compress(text.encode("cp850")))
    found = read(tmp_path, "s.txt.gz", format="fixed", fields=FIELDS, encoding="cp850", header=2)
    assert units(found) == [("1", "A", WEEK, 6)]
    assert (found.counts.records, found.counts.aside) == (4, 3)


def test_members_of_an_archive_are_read_as_one_file_each_told_by_its_name(tmp_path: Path) -> None:
    members = {
        "../../1.csv": "sku,week,units\nA,2024-03-04,6\n",
        "/2.csv": "week,sku,units\n2024-03-04,B,12\n2024-03-04,A,x\n",
        "readme.txt": "hello",
        "folder/": "",
    }
    name = packed(tmp_path, "s.zip", members)
    columns = {**COLUMNS, "store_id": {"column": "{member}", "map": {"../../1.csv": "1", "/2.csv": "2"}}}
    found = read(tmp_path, name, member="*.csv", columns=columns)
    assert units(found) == [("1", "A", WEEK, 6), ("2", "B", WEEK, 12)]
    assert found.quarantined["message"][0].as_py().startswith("s.zip, /2.csv, row 2, column units_shipped: expected a whole number, came x.")
    assert found.counts.records == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["provider.yaml", "s.zip"]


def test_brackets_in_names_of_members_sheets_and_columns_are_brackets_in_their_patterns(tmp_path: Path) -> None:
    members = {"a [1].csv": "store,sku,week,units\n1,A,2024-03-04,6\n", "a 1.csv": "store,sku,week,units\n1,A,2024-03-04,9\n"}
    assert units(read(tmp_path, packed(tmp_path, "s.zip", members), member="a [1].csv")) == [("1", "A", WEEK, 6)]
    rows = [["store", "sku", "week", "units"], ["1", "A", WEEK, 6]]
    name = book(tmp_path, "s.xlsx", {"North (1)": rows, "1": [["hello"]]})
    with pytest.raises(LandingFileRefused, match=r"expected visible sheets with rows like '\[0-9\]', came"):
        read(tmp_path, name, format="xlsx", sheets="[0-9]")
    name = written(tmp_path, "wide.csv", "store,sku,[2024-03-04],2", "1,A,6,9")
    week = {"column": "day", "date_format": "[%Y-%m-%d]"}
    found = read(tmp_path, name, melt={"columns": "[20??-*]", "name": "day", "value": "units"}, columns={**COLUMNS, "week": week})
    assert units(found) == [("1", "A", WEEK, 6)]


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "xlsx", "csv.gz"])
def test_members_of_every_format_are_read(tmp_path: Path, kind: str) -> None:
    rows = [{"store": "1", "sku": "A", "week": "2024-03-04", "units": 6}, {"store": "2", "sku": "B", "week": "2024-03-04", "units": 2}]
    members: dict[str, bytes | str] = {}
    for number, row in enumerate(rows):
        inner = io.BytesIO()
        if kind == "parquet":
            parquet.write_table(pa.Table.from_pylist([row]), inner)
        elif kind == "xlsx":
            inner.write((tmp_path / book(tmp_path, "b.xlsx", {"S": [list(row), list(row.values())]})).read_bytes())
        elif kind == "jsonl":
            inner.write(json.dumps(row).encode())
        else:
            inner.write(gzip.compress(f"{HEADER}\n{','.join(map(str, row.values()))}\n".encode()))
        members[f"{number}.{kind}"] = inner.getvalue()
    found = read(tmp_path, packed(tmp_path, "s.zip", members), member=f"*.{kind}", format=kind.removesuffix(".gz"))
    assert units(found) == [("1", "A", WEEK, 6), ("2", "B", WEEK, 2)]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.txt": "x"}, r"^s.zip: expected up to 1,000 members like '\*\.csv', came \['a.txt'\]. Correct 'member'"),
        ({f"{n}.csv": "x" for n in range(1001)}, r"^s.zip: expected up to 1,000 members like '\*\.csv', came 1,001 of them"),
        ({"a.csv": ""}, r"^s.zip, a.csv: expected a csv file with rows, came an empty file"),
        ({"a.csv": bytes(3 << 20)}, r"^s.zip: expected at most 0 GiB once expanded, came more. Split the archive"),
    ],
)
def test_an_archive_that_is_too_much_or_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes | str], message: str
) -> None:
    monkeypatch.setattr(archives, "MAX_EXPANDED", 2 << 20)
    name = packed(tmp_path, "s.zip", members)
    with pytest.raises(LandingFileRefused, match=message):
        read(tmp_path, name, member="*.csv")


def test_every_cut_or_garbled_archive_is_refused_in_a_sentence(tmp_path: Path) -> None:
    name = packed(tmp_path, "s.zip", {"a.csv": f"{HEADER}\n" + "1,A,2024-03-04,6\n" * 50})
    content, refused = (tmp_path / name).read_bytes(), 0
    for position in range(0, len(content), 2):
        for garbled in (content[:position], content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]):
            (tmp_path / name).write_bytes(garbled)
            try:
                with archives.members_of(tmp_path / name, name, "*.csv") as members:
                    assert [path.read_text().count("1,A") for _, path in members] == [50]
            except LandingFileRefused:
                refused += 1
    assert refused > len(content) / 2


LINES = "invoice,sku,units"
WITH = {"files": "heads/*.csv", "by": {"invoice": "no"}, "columns": ["store", "day"], "format": "csv"}
JOINED = {"store_id": "store", "product_id": "sku", "week": {"column": "day", "clean": "week"}, "units_shipped": "units"}


def test_lines_get_store_and_day_from_the_headers_of_their_invoices(tmp_path: Path) -> None:
    """Invoice 9 has no header, and of 7 two headers say different things: their lines are told with the number."""
    written(tmp_path, "heads/1.csv", "no,store,day", "1,1,2024-03-05", "7,1,2024-03-05")
    written(tmp_path, "heads/2.csv", "day,no,store", "2024-03-06,2,2", "2024-03-05,1,1", "2024-03-06,7,2")
    name = written(tmp_path, "lines/a.csv", LINES, "1,A,6", "2,B,2", "1,B,3", "9,A,1", "7,A,1")
    found = read(tmp_path, name, **{"with": WITH}, columns=JOINED)
    assert units(found) == [("1", "A", WEEK, 6), ("1", "B", WEEK, 3), ("2", "B", WEEK, 2)]
    first, second = found.quarantined["message"].to_pylist()
    assert first.startswith(
        "lines/a.csv, row 4, column invoice: expected a key of which heads/*.csv says one thing, came 9. Drop the file that holds it"
    )
    assert second.startswith("lines/a.csv, row 5, column invoice: expected a key of which heads/*.csv says one thing, came 7.")
    assert found.columns == ("invoice", "sku", "units")


def test_headers_in_another_format_are_joined_by_two_columns_of_the_same_week(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"depot": [1.0, 1.0], "no": [1, 2], "store": ["1", "2"], "day": [WEEK, WEEK]}), tmp_path / "heads-2024-10.parquet")
    written(tmp_path, "heads-2024-11.parquet", "not parquet, and of another week")
    name = written(tmp_path, "lines-2024-10.csv", "depot,invoice,sku,units", "1,1,A,6", "1,2,B,2", "2,2,B,2")
    keys = {"with": WITH | {"files": "heads-{week}.parquet", "format": "parquet", "by": {"depot": "depot", "invoice": "no"}}}
    found = read(tmp_path, name, path="lines-{week}.csv", columns=JOINED, **keys)
    assert units(found) == [("1", "A", WEEK, 6), ("2", "B", WEEK, 2)]
    assert "column depot, invoice: expected a key" in found.quarantined["message"][0].as_py()


def test_lines_whose_headers_are_missing_or_unreadable_are_refused_in_a_sentence(tmp_path: Path) -> None:
    name = written(tmp_path, "lines/a.csv", LINES, "1,A,6")
    with pytest.raises(
        LandingFileRefused, match=r"^lines/a.csv: its rows need a file like 'heads/\*\.csv', and none is in landing. Drop it: then this one is read"
    ):
        read(tmp_path, name, **{"with": WITH}, columns=JOINED)
    written(tmp_path, "heads/1.csv", "no,store", "1,1")
    refused = (
        r"^lines/a.csv: its rows are joined with a file that cannot be read: heads/1.csv: columns \['day'\] are missing; came with \['no', 'store'\]"
    )
    with pytest.raises(LandingFileRefused, match=refused):
        read(tmp_path, name, **{"with": WITH}, columns=JOINED)
    (tmp_path / "heads" / "1.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(LandingFileRefused, match=r"cannot be read: heads/1.csv, line 1: expected utf-8"):
        read(tmp_path, name, **{"with": WITH}, columns=JOINED)


def test_a_link_out_of_landing_is_no_lookup(tmp_path: Path) -> None:
    written(tmp_path, "outside.csv", "no,store,day", "1,1,2024-03-05")
    name = written(tmp_path, "landing/lines/a.csv", LINES, "1,A,6")
    (tmp_path / "landing" / "heads").mkdir()
    (tmp_path / "landing" / "heads" / "1.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(LandingFileRefused, match="none is in landing"):
        read(tmp_path / "landing", name.removeprefix("landing/"), **{"with": WITH}, columns=JOINED)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rows": {"column": "kind"}}, r"key sources\.shipments\.0\.rows.*: expected one of 'in', 'not_in', 'sign', 'starting_with'"),
        ({"rows": {"column": "kind", "in": []}}, r"key sources\.shipments\.0\.rows"),
        ({"rows": {"column": "kind", "sign": "minus"}}, r"sign: Input should be 'positive' or 'negative'"),
        ({"rows_end": {"column": "a", "equals": "x", "starting_with": "y"}}, r"rows_end: expected exactly one of 'equals' and 'starting_with'"),
        ({"melt": {"columns": "2*", "name": "x", "value": "X"}}, r"melt: expected two names for 'name' and 'value', came 'x' for both"),
        ({"path": "a.csv"}, r"path: expected one or more names in braces, each once, like 'shipments/\{region\}/\{week\}.csv', came 'a.csv'"),
        ({"path": "(?P<a>["}, r"path: expected names in braces, .* or a regular expression with named groups, came .*missing \]"),
        ({"sheets": "x*"}, r"key sources\.shipments\.0\.sheets: expected a sheet of a workbook \(xlsx, xls, xlsb, ods\), came 'format: csv'"),
        ({"format": "xlsx", "sheet": "a", "sheets": "x*"}, r"sheets: expected one of 'sheet' \(its name\) and 'sheets' \(a pattern of names\), came both"),
        ({"header": -1}, r"header: Input should be greater than or equal to 0"),
        ({"format": "fixed"}, r"key sources\.shipments\.0\.format: expected 'fields', the positions of the columns, for 'format: fixed'"),
        ({"fields": {"a": [1, 2]}}, r"key sources\.shipments\.0\.fields: expected 'fields', the positions of the columns, for 'format: fixed'"),
        ({"format": "fixed", "fields": {"a": [3, 2]}}, r"fields\.a: expected a first and a last position from 1 to 1,000,000, like \[1, 6\], came \[3, 2\]"),
        ({"columns": {**COLUMNS, "week": "{member}"}}, r"columns\.week: expected a column, or one of none"),
        ({"with": WITH | {"files": "../x.csv"}}, r"key sources\.shipments\.0\.with\.files: expected a pattern within the provider's landing folder"),
        ({"with": WITH | {"files": "x-{week}.csv"}}, r"with\.files: expected names of 'path' in braces, which are none, came \['\{week\}'\]"),
        ({"with": WITH | {"columns": ["a", "A"]}}, r"with: expected each of 'columns' once, came \['a', 'A'\]"),
        ({"with": WITH | {"format": "fixed"}}, r"with\.format: expected 'fields', the positions of the columns"),
        ({"with": WITH | {"by": []}}, r"with\.by: Dictionary should have at least 1 item"),
        ({"columns": {**COLUMNS, "week": "{week}"}}, r"columns\.week: expected a column, or one of none, which stand beside the file's own, came '\{week\}'"),
        ({"columns": {**COLUMNS, "week": {"position": 0}}}, r"columns\.week\.position: Input should be greater than or equal to 1"),
        ({"format": "jsonl", "columns": {**COLUMNS, "week": {"position": 1}}}, r"columns\.week: expected a key's name as 'column'"),
        ({"columns": {**COLUMNS, "week": {"columns": ["a", "b"], "column": "c"}}}, r"columns\.week: a column needs exactly one of 'column'"),
        ({"columns": {**COLUMNS, "week": {"column": "a", "join": "-"}}}, r"columns\.week: expected 'join' beside 'columns'"),
        ({"columns": {**COLUMNS, "week": {"column": "a", "part": {"separator": "-", "number": 0}}}}, r"number: expected 1 for the first part or -1 for the last"),
        ({"columns": {**COLUMNS, "week": {"value": "a", "part": {"separator": "-", "number": 1}}}}, r"columns\.week: expected 'part' beside a column of the file"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_is_told_with_line_and_key(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        provider(tmp_path, **keys)
    assert "line " in str(error.value)
    assert "\n" not in str(error.value)


def test_the_example_of_the_documentation_gives_its_rows(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "bring-your-data.md").read_text()
    keys = yaml.safe_load(text.split("go together:\n\n```yaml\n")[1].split("```")[0])["shipments"][0]
    titles = [["Deliveries 2024"], [], ["Depot", "x"]]
    header = ["Kind", "Area", "Store", "Article", "W09", "W10", "Wk total"]
    rows = [["S", "N", 1, "x/A", 6, 2, 8], ["X", "N", 2, "x/B", None, 3, 3], ["R", "N", 2, "x/B", 9, 9, 9], [None, None, "Total", None, 6, 5, 11]]
    (tmp_path / "shipments" / "ohio").mkdir(parents=True)
    name = book(tmp_path, "shipments/ohio/2024.xlsx", {"Depot 1": [*titles, header, *rows], "Notes": [["none"]]})
    keys["columns"]["store_id"]["map"] = {"N-1": "1", "N-2": "2"}
    found = read(tmp_path, name, **keys)
    assert units(found) == [("1", "A", date(2024, 2, 26), 6), ("1", "A", WEEK, 2), ("2", "B", WEEK, 3)]
    assert (found.counts.skipped, found.counts.empty_cells) == (3, 1)


def test_errors_of_a_workbook_and_formulas_without_a_result_are_in_quarantine_and_not_zero(tmp_path: Path) -> None:
    """Units of #N/A, #DIV/0! and of a formula that no program had calculated were empty, and a default made them 0."""
    good = [[3, "B", date(2024, 3, 11 + 7 * number), 1] for number in range(2)]
    rows = [[1, "A", WEEK, "#N/A"], [2, "A", WEEK, "#DIV/0!"], [3, "A", WEEK, None], [1, "B", WEEK, 6], ["#REF!", "B", WEEK, 7]]
    name = book(
        tmp_path, "s.xlsx", {"S": [HEADER.split(","), *rows, [2, "B", WEEK, "=D5+1"], [3, "B", WEEK, 8], ["#N/A"], [None, None, None, "=D6"], *good]}
    )
    found = read(tmp_path, name, format="xlsx", columns={**COLUMNS, "units_shipped": {"column": "units", "default": 0}})
    assert units(found) == [
        ("1", "B", WEEK, 6),
        ("3", "A", WEEK, 0),
        ("3", "B", WEEK, 8),
        ("3", "B", date(2024, 3, 11), 1),
        ("3", "B", date(2024, 3, 18), 1),
    ]
    told = [message.split(", row ")[1].split(". ")[0] for message in found.quarantined["message"].to_pylist()]
    assert told[:4] == [
        "1, column units_shipped: expected a whole number, came #N/A",
        "2, column units_shipped: expected a whole number, came #DIV/0!",
        "5, column store_id: expected an identifier with all its digits, came #REF!",
        "6, column units_shipped: expected a whole number, came #FORMULA WITHOUT A VALUE!",
    ]
    assert [text.split(",")[0] for text in told[4:]] == ["8", "9"]


def test_a_formula_whose_result_is_an_empty_text_is_empty(tmp_path: Path) -> None:
    name = book(tmp_path, "s.xlsx", {"S": [HEADER.split(","), [1, "A", WEEK, "=1"]]})
    path = tmp_path / name
    path.write_bytes(rezipped(path.read_bytes(), "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'<c r="D2"><f>', b'<c r="D2" t="str"><f>')))
    found = read(tmp_path, name, format="xlsx", columns={**COLUMNS, "units_shipped": {"column": "units", "default": 0}})
    assert units(found) == [("1", "A", WEEK, 0)]


def test_lines_whose_number_is_an_error_are_not_one_line(tmp_path: Path) -> None:
    name = book(
        tmp_path,
        "s.xlsx",
        {"S": [[*HEADER.split(","), "line"], *[[store, "A", WEEK, 6, line] for store, line in ((1, "#N/A"), (1, "#N/A"), (2, 1), (3, 2))]]},
    )
    found = read(tmp_path, name, format="xlsx", line_id="line")
    assert (found.counts.taken, found.counts.repeated, found.counts.quarantined) == (2, 0, 2)


@pytest.mark.parametrize("row", [1, 2, 3])
def test_an_object_with_one_key_twice_is_in_quarantine_wherever_it_stands(tmp_path: Path, row: int) -> None:
    """Units of 12 were taken where the line said 99 behind."""
    lines = [json.dumps({"store": store, "sku": "A", "week": "2024-03-04", "units": 6}) for store in (1, 2)]
    lines.insert(row - 1, '{"store":3,"sku":"B","week":"2024-03-04","units":12,"units":99}')
    found = read(tmp_path, written(tmp_path, "s.jsonl", *lines), format="jsonl")
    assert units(found) == [("1", "A", WEEK, 6), ("2", "A", WEEK, 6)]
    (message,) = found.quarantined["message"].to_pylist()
    assert message.startswith(f"s.jsonl, row {row}")
    assert "two values for one key" in message
