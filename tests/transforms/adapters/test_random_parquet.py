"""Columns of Arrow's types in Parquet: each value is taken exactly, or its row is in quarantine with the value; none becomes another one."""

import datetime
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.adapters import FileRows, ProviderSpec, References, read_file
from transforms.contracts import SOURCES

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.date(2024, 3, 4)
Column = tuple[pa.DataType, list[Any]]


def read(table: pa.Table, **columns: object) -> FileRows:
    """What a file of deliveries gives; products need not be known, so that any identifier is taken."""
    names = {"store_id": "store", "product_id": "sku", "week": "week", "units_shipped": "units", **columns}
    key = {"files": "x", "format": "csv"}
    sources = {
        "stores": [{**key, "columns": {name: name for name in ("store_id", "region", "format")}}],
        "products": [{**key, "columns": {name: name for name in ("product_id", "case_pack")}}],
        "shipments": [{"files": "*", "format": "parquet", "duplicates": "sum", "line_id": "line", "columns": names}],
    }
    spec = ProviderSpec.model_validate(
        {"name": "shop", "description": "A shop.", "unknown_products": "accept", "refuse_above": 1.0, "sources": sources}
    )
    stores = pa.Table.from_pylist([dict.fromkeys(SOURCES["stores"].names) | {"store_id": "1", "region": "ohio"}], SOURCES["stores"].schema)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s.parquet"
        pq.write_table(table, path, row_group_size=2)
        references = References(stores, SOURCES["products"].schema.empty_table())
        found = read_file(spec, "shipments", spec.sources["shipments"][0], path, path.name, references, NOW)
    assert found.counts.records == table.num_rows == found.counts.taken + found.counts.quarantined + found.counts.repeated
    return found


def table_of(n: int, **columns: pa.Array) -> pa.Table:
    base = {
        "line": pa.array(range(n)),
        "store": pa.array(["1"] * n),
        "sku": pa.array(["A"] * n),
        "week": pa.array([DAY] * n),
        "units": pa.array([6] * n),
    }
    return pa.table({**base, **columns})


def taken(table: pa.Table, column: str, **columns: object) -> dict[int, Any]:
    """Values that were taken, by the number of their row."""
    rows = read(table, **columns).rows
    return dict(zip(map(int, rows["line_id"].to_pylist()), rows[column].to_pylist(), strict=True))


@dataclass(frozen=True)
class Numbers:
    kind: pa.DataType
    values: st.SearchStrategy[Any]


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda number: Decimal(number).scaleb(-scale)) | st.integers(0, 99).map(Decimal)


SMALL = st.integers(0, 100)
NUMBERS = {
    **{f"int{bits}": Numbers(getattr(pa, f"int{bits}")(), SMALL | st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": Numbers(getattr(pa, f"uint{bits}")(), SMALL | st.integers(0, 2**bits - 1)) for bits in (8, 16, 32, 64)},
    "float16": Numbers(pa.float16(), SMALL.map(float) | st.floats(width=16)),
    "float32": Numbers(pa.float32(), SMALL.map(float) | st.floats(width=32)),
    "float64": Numbers(pa.float64(), SMALL.map(float) | st.floats()),
    "decimal32(9,2)": Numbers(pa.decimal32(9, 2), decimals(7, 2)),
    "decimal64(18,3)": Numbers(pa.decimal64(18, 3), decimals(18, 3)),
    "decimal128(38,0)": Numbers(pa.decimal128(38, 0), decimals(28, 0)),
    "decimal128(38,4)": Numbers(pa.decimal128(38, 4), decimals(28, 4)),
    "decimal256(39,1)": Numbers(pa.decimal256(39, 1), decimals(28, 1)),
    "decimal256(40,4)": Numbers(pa.decimal256(40, 4), decimals(28, 4)),
    "decimal256(60,40)": Numbers(pa.decimal256(60, 40), decimals(10, 0)),
    "decimal256(76,0)": Numbers(pa.decimal256(76, 0), decimals(28, 0)),
}


@pytest.mark.parametrize(
    ("name", "encoded"),
    # Arrow encodes no others.
    [*((name, False) for name in NUMBERS), *((name, True) for name in NUMBERS if name not in {"float16", "decimal32(9,2)", "decimal64(18,3)"})],
)
@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_number_of_any_type_is_taken_exactly_or_in_quarantine(name: str, encoded: bool, data: st.DataObject) -> None:
    """Decimals of more than 38 digits came as other numbers: 1.0000 was 7.2e16."""
    kind = NUMBERS[name].kind
    values = data.draw(st.lists(NUMBERS[name].values | st.none(), min_size=1, max_size=5))
    column = pa.array(values, kind)
    found = taken(table_of(len(values), units=column.dictionary_encode() if encoded else column), "units_shipped")
    for number, value in enumerate(values):
        whole = value is not None and Decimal(value).is_finite() and value == int(value) and 0 <= value < 2**31
        if whole:
            assert found[number] == value
        elif number in found:
            assert value is not None
            assert found[number] == value


@pytest.mark.parametrize(
    "column",
    [
        pa.array([float(2**53), 6.0], pa.float32()),
        pa.array([3.0e38, 6.0], pa.float32()),
        pa.array([1e300, 6.0]),
        pa.array([Decimal("31249999999999.999"), Decimal(6)], pa.decimal64(18, 3)),
        pa.array(["31249999999999.999", "6"]),
        pa.array(["5.99999999999999999999", "6.00000000000000000000"]),
        pa.array(["-5.99999999999999999999", "6"]),
    ],
    ids=lambda column: f"{column[0]}-{column.type}",
)
def test_a_number_that_a_double_would_round_to_a_whole_one_is_in_quarantine(column: pa.Array) -> None:
    """A FLOAT of 9007199254740992 was 9007199000000000 units, and 31249999999999.999 one more than it says."""
    assert taken(table_of(2, units=column), "units_shipped") == {1: 6}


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=8)
TYPES_OF_TEXT: dict[str, Callable[[list[str | None]], pa.Array]] = {
    "string": lambda values: pa.array(values, pa.string()),
    "large_string": lambda values: pa.array(values, pa.large_string()),
    "string_view": lambda values: pa.array(values, pa.string_view()),
    "dictionary": lambda values: pa.array(values, pa.string()).dictionary_encode(),
    "binary": lambda values: pa.array([value and value.encode() for value in values], pa.binary()),
    "large_binary": lambda values: pa.array([value and value.encode() for value in values], pa.large_binary()),
}


@pytest.mark.parametrize("kind", TYPES_OF_TEXT)
@given(values=st.lists(TEXTS | st.none(), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_text_of_any_type_is_the_same_text(kind: str, values: list[str | None]) -> None:
    """Programs that know no text write bytes: Zoë was Zo\\xC3\\xAB."""
    found = taken(table_of(len(values), sku=TYPES_OF_TEXT[kind](values)), "product_id")
    texts = taken(table_of(len(values), sku=TYPES_OF_TEXT["string"](values)), "product_id")
    assert found == texts


MOMENTS = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2025, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:30"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@given(moments=st.lists(MOMENTS | st.none(), min_size=1, max_size=4), odd=st.booleans())
@settings(max_examples=8, deadline=None)
def test_a_time_of_any_unit_is_of_its_day_and_one_beyond_all_bounds_in_quarantine(
    unit: str, zone: str | None, moments: list[datetime.datetime | None], odd: bool
) -> None:
    """One extreme time[ms] refused the whole file as one that may be truncated."""
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    counts = [None if moment is None else int(moment.replace(tzinfo=datetime.UTC).timestamp()) * factor for moment in moments]
    extremes = [2**63 - 1, -(2**63) + 1] if odd and unit != "s" else []
    column = pa.array([*counts, *extremes], pa.timestamp(unit, zone))
    found = taken(table_of(len(counts) + len(extremes), week=column), "week", week={"column": "week", "clean": "week"})
    local = pa.array(counts, pa.int64()).cast(pa.timestamp(unit, zone))
    shown = pa.compute.local_timestamp(local).to_pylist() if zone else local.to_pylist()
    days = {number: moment.date() for number, moment in enumerate(shown) if moment is not None}
    if zone != "+05:30":
        assert found == {number: day - datetime.timedelta(days=day.weekday()) for number, day in days.items()}
    else:
        # No zone that the database knows: the day is told by the clock of UTC.
        assert found.keys() == days.keys()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2], pa.duration("ms")),
        pa.array([1, 2], pa.time32("ms")),
        pa.array([1, 2], pa.time64("us")),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.array([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int64())),
        pa.array([True, False]),
        pa.array([b"\xff\xfe", b"\x80"]),
        pa.nulls(2),
        pa.array([DAY, DAY]),
    ],
    ids=lambda column: str(column.type),
)
def test_what_is_no_number_is_in_quarantine_with_its_value(column: pa.Array) -> None:
    """A duration of six milliseconds counted as six units."""
    found = read(table_of(2, units=column))
    assert found.rows.num_rows == 0
    for message in found.quarantined["message"].to_pylist():
        assert re.search("column units_shipped: expected a (whole number|value), came ", message)


_READ_EACH = """
import sys
from pathlib import Path
import duckdb
from transforms.adapters.formats.parquet import read_parquet
from transforms.errors import LandingFileRefused
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_parquet(duckdb.connect(), path, path.name)
    except (LandingFileRefused, duckdb.Error):
        print(path.name)
"""


def test_a_footer_that_contradicts_itself_ends_no_process(tmp_path: Path) -> None:
    """pyarrow ended the whole run where a column's statistics did not fit whether it may be empty."""
    path = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"id": pa.array([1, 2]), "week": pa.array([0, 86_400_000], pa.timestamp("ms"))}), path)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(footer + 10, footer + 40):
        broken = bytearray(content)
        broken[place] ^= 1
        (tmp_path / f"{place}.parquet").write_bytes(broken)
    done = subprocess.run([sys.executable, "-c", _READ_EACH, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "whole.parquet" not in done.stdout
    assert len(done.stdout.split()) > 1


def test_decimals_beyond_38_digits_are_in_quarantine_and_the_others_are_taken() -> None:
    values = [Decimal(6), Decimal(10) ** 60, Decimal("1.5"), Decimal(12)]
    found = read(table_of(4, units=pa.array(values, pa.decimal256(76, 4))))
    assert found.rows["units_shipped"].to_pylist() == [6, 12]
    assert found.quarantined.num_rows == 2


@pytest.mark.parametrize(
    ("kind", "certain", "rounded"), [(pa.float32(), (1 << 24) - 1, 1 << 24), (pa.float64(), (1 << 53) - 1, 1 << 53), (pa.float64(), 101, 10**20)]
)
@pytest.mark.parametrize("column", ["sku", "line"])
def test_an_identifier_that_a_fraction_may_have_rounded_is_in_quarantine(kind: pa.DataType, certain: int, rounded: int, column: str) -> None:
    """16777217 was written as 16777216 by a program that kept identifiers as floats of 32 bits: it is another product, or another line."""
    found = read(table_of(2, **{column: pa.array([float(certain), float(rounded)], kind)}))
    if column == "sku":
        assert found.rows["product_id"].to_pylist() == [str(certain)]
    [left] = found.quarantined.to_pylist()
    assert {"sku": "product_id", "line": "line_id"}[column] in left["rule"] + left["message"]
    assert f"{rounded:.2g}"[0] in left["record"]


def test_a_decimal_that_is_whole_is_an_identifier_of_any_length() -> None:
    number = Decimal("12345678901234567890.00")
    assert read(table_of(1, sku=pa.array([number], pa.decimal128(30, 2)))).rows["product_id"].to_pylist() == ["12345678901234567890"]
