"""Numbers and identifiers as files may write them: read as they are declared, or not at all, and never as another number."""

import datetime
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transforms.adapters import ProviderSpec, References, read_file
from transforms.adapters.formats.json_lines import read_json_lines
from transforms.adapters.numbers import identifier, parsed_number


@dataclass(frozen=True)
class Style:
    """How a file writes numbers."""

    decimal: str = "."
    grouping: str | None = None
    affix: str | None = None
    before: bool = False
    negative: str = "leading"

    def write(self, number: Decimal) -> str:
        """The number as a person would write it."""
        whole, _, fraction = f"{abs(number):f}".partition(".")
        if self.grouping is not None:
            whole = f"{int(whole):,}".replace(",", self.grouping)
        text = f"{whole}{self.decimal}{fraction}" if fraction else whole
        if self.affix is not None:
            text = f"{self.affix}{text}" if self.before else f"{text} {self.affix}"
        if number >= 0:
            return text
        return {"leading": f"-{text}", "trailing": f"{text}-", "parentheses": f"({text})"}[self.negative]


STYLES = st.builds(
    Style,
    decimal=st.sampled_from([".", ","]),
    grouping=st.sampled_from([None, ".", ",", " ", "'"]),
    affix=st.sampled_from([None, "$", "€", "EUR", "kg", "%", "US$", "[x]"]),
    before=st.booleans(),
    negative=st.sampled_from(["leading", "trailing", "parentheses"]),
).filter(lambda style: style.decimal != style.grouping)
NUMBERS = st.decimals(-(10**9), 10**9, places=2) | st.integers(-(10**9), 10**9).map(Decimal) | st.decimals(-2, 2, places=3)


def parsed(text: str, style: Style) -> float | None:
    affixes = [style.affix] if style.affix else []
    sql = parsed_number("$text::varchar", style.decimal, style.grouping, affixes, style.negative)
    return duckdb.execute(f"select {sql}", {"text": text}).fetchall()[0][0]


@given(NUMBERS, STYLES)
@settings(max_examples=200, deadline=None)
def test_a_number_written_as_declared_comes_back(number: Decimal, style: Style) -> None:
    assert parsed(style.write(number), style) == float(number)


@given(NUMBERS, STYLES, STYLES)
@example(Decimal("12.50"), Style(), Style(decimal=","))
@example(Decimal("0.500"), Style(decimal=","), Style(grouping=","))  # 0,500 is no five hundred
@settings(max_examples=200, deadline=None)
def test_a_number_written_otherwise_is_no_other_number(number: Decimal, written: Style, declared: Style) -> None:
    """A text that two styles write for two numbers is what the declared one says; all others are the number itself, or none."""
    text = written.write(number)
    found = parsed(text, declared)
    if found is not None and found != float(number):
        rounded, digits = abs(Decimal(repr(found))), re.sub(r"[^0-9.,' ]", "", text).strip()
        places = [place for place in range(4) if rounded == rounded.quantize(Decimal(1).scaleb(-place))]
        spelled = (
            Style(declared.decimal, grouping).write(rounded.quantize(Decimal(1).scaleb(-place)))
            for place in places
            for grouping in (None, declared.grouping)
        )
        assert digits in set(spelled)
        assert (found < 0) == (number < 0)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("12.50", Style(decimal=",")),
        ("1,20", Style(grouping=",")),
        ("1,2000", Style(grouping=",")),
        ("0,500", Style(grouping=",")),
        ("00.123", Style(decimal=",", grouping=".")),
        ("5$6", Style(affix="$")),
        ("5 % 6", Style(affix="%")),
        ("$", Style(affix="$")),
        ("(6", Style(negative="parentheses")),
        ("(-6)", Style(negative="parentheses")),
        ("6--", Style(negative="trailing")),
        ("-6-", Style(negative="trailing")),
        ("1e", Style()),
        ("0x10", Style()),
        ("1_000", Style()),
        ("\u0661\u0662", Style()),
        ("inf", Style()),
        ("nan", Style()),
        ("", Style()),
        ("1 000", Style()),
        ("1.2.3", Style(decimal=",", grouping=".")),
    ],
)
def test_a_text_that_fits_no_declaration_is_no_number(text: str, style: Style) -> None:
    assert parsed(text, style) is None


@given(st.integers(0, 10**12 - 1), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_an_identifier_comes_back_with_its_zeros_whatever_a_program_made_of_it(number: int, width: int) -> None:
    number %= 10**width
    wanted = f"{number:0{width}d}"
    for text in (wanted, str(number), f"{number}.0", f"{number}.00", f"{wanted}-1234"):
        assert duckdb.execute(f"select {identifier('$text::varchar', width)}", {"text": text}).fetchall() == [(wanted,)]
    assert duckdb.execute(f"select {identifier('$text::varchar', width)}", {"text": f"1{wanted}"}).fetchall() == [(None,)]
    assert duckdb.execute(f"select {identifier('$text::varchar', width)}", {"text": f"{number + 10**11:.5E}"}).fetchall() == [(None,)]


WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FRACTIONS = [pa.float32(), pa.float64(), pa.decimal128(10, 2), pa.decimal128(30, 0)]
TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
MOMENTS = [pa.date32(), pa.date64(), *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC"))]


def rows_of(folder: Path, columns: dict[str, pa.Array], week: dict[str, object] | None = None) -> list[dict[str, object]]:
    """What is read of a Parquet file of shipments."""
    pq.write_table(pa.table(columns), folder / "file.parquet")
    sources = {
        "stores": [{"files": "s", "format": "csv", "columns": {"store_id": "id", "region": "area", "format": "kind"}}],
        "products": [{"files": "p", "format": "csv", "columns": {"product_id": "sku", "case_pack": "pack"}}],
        "shipments": [
            {"files": "x", "format": "parquet", "columns": {"store_id": "id", "product_id": "sku", "week": week or "week", "units_shipped": "units"}}
        ],
    }
    provider = ProviderSpec.model_validate({"name": "typed", "description": "Typed.", "sources": sources, "refuse_above": 1.0})
    references = References(
        pa.table({"store_id": ["101"], "region": ["iowa"], "place": ["Ames"]}), pa.table({"product_id": ["7", "P7"], "case_pack": [6, 6]})
    )
    found = read_file(
        provider,
        "shipments",
        provider.sources["shipments"][0],
        folder / "file.parquet",
        "file.parquet",
        references,
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )
    assert found.counts.records == found.counts.read + found.counts.aside == len(next(iter(columns.values())))
    return found.rows.select(["store_id", "product_id", "week", "units_shipped"]).to_pylist()


def cast(values: list[object], kind: pa.DataType) -> pa.Array:
    """An Arrow array of a type that Python values have no way to."""
    if pa.types.is_dictionary(kind):
        return pa.array(values).dictionary_encode()
    return pa.array([Decimal(str(value)) for value in values], kind) if pa.types.is_decimal(kind) else pa.array(values, kind)


@pytest.mark.parametrize("kind", [*WHOLE, *FRACTIONS, *TEXTS], ids=str)
def test_every_type_of_parquet_says_the_same_identifier_and_quantity(kind: pa.DataType, tmp_path: Path) -> None:
    is_text = kind in TEXTS
    values = {"id": ["101"], "sku": ["7"], "units": ["12"]} if is_text else {"id": [101], "sku": [7], "units": [12]}
    columns = {"week": pa.array([datetime.date(2022, 5, 2)]), **{name: cast(list(value), kind) for name, value in values.items()}}
    assert rows_of(tmp_path, columns) == [{"store_id": "101", "product_id": "7", "week": datetime.date(2022, 5, 2), "units_shipped": 12}]


@pytest.mark.parametrize("kind", MOMENTS, ids=str)
def test_every_type_of_date_in_parquet_is_the_same_week(kind: pa.DataType, tmp_path: Path) -> None:
    days = pa.array([datetime.datetime(2022, 5, 2)], pa.timestamp("us")).cast(pa.timestamp("ms")).cast(kind)
    found = rows_of(tmp_path, {"id": pa.array(["101"]), "sku": pa.array(["P7"]), "week": days, "units": pa.array([12])})
    assert [row["week"] for row in found] == [datetime.date(2022, 5, 2)]


@pytest.mark.parametrize("day", [2**31 - 2, -(2**31) + 2, 2_932_897, -719_163])
def test_a_day_beyond_the_calendar_is_one_row_in_quarantine(day: int, tmp_path: Path) -> None:
    """A date of the year 5881580 left the range of what is computed from it, and the file ended in a traceback."""
    days = pa.array([day, 19_114], pa.int32()).cast(pa.date32())
    columns = {"id": pa.array(["101"] * 2), "sku": pa.array(["P7"] * 2), "week": days, "units": pa.array([1, 12])}
    assert [row["units_shipped"] for row in rows_of(tmp_path, columns, {"column": "week", "clean": "week"})] == [12]


def test_a_quantity_and_a_time_that_cannot_be_computed_with_are_in_quarantine(tmp_path: Path) -> None:
    columns = {"id": pa.array(["101"]), "sku": pa.array(["P7"]), "week": pa.array([datetime.date(2022, 5, 2)]), "units": pa.array([2.0**63])}
    assert rows_of(tmp_path, columns) == []
    moments = pa.array([-(2**63)], pa.int64()).cast(pa.timestamp("ms"))
    assert rows_of(tmp_path, {**columns, "units": pa.array([12]), "week": moments}) == []


@pytest.mark.parametrize(
    ("written", "told", "product"),
    [
        ("101.0", "101", "101"),
        ("9007199254740991.0", "9007199254740991", "9007199254740991"),
        ("9007199254740993.0", "9007199254740992.0", None),
        ("12345678901234567890.0", "12345678901234567000.0", None),
        ("9007199254740993", "9007199254740993", "9007199254740993"),
    ],
)
def test_a_fraction_of_json_that_may_have_been_rounded_is_no_identifier(written: str, told: str, product: str | None, tmp_path: Path) -> None:
    """9007199254740993.0 became 9007199254740992.0, another product, and was taken."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"sku": {written}}}\n')
    with duckdb.connect() as connection:
        read_json_lines(connection, path, path.name, "utf-8", "uncompressed")
        assert connection.execute(f"select sku, {identifier('sku', None)} from file").fetchall() == [(told, product)]
