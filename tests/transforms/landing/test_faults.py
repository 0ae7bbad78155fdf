"""Real drops, broken in as many ways as drops break: each fault is handled or refused with a clear message, and every row is found again.

Weekly invoice files of one region are made from the real invoices, each broken in its own way; all go through landing, bronze and dbt in one lake.
"""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from dbt.cli.main import dbtRunner

from transforms.adapters import ProviderSpec, load_provider
from transforms.adapters.spec import BUILT_IN
from transforms.calendar import Week, blocks_of
from transforms.lake.tables import Lake
from transforms.landing import folder, ingest, ingest_reference, pending, refused_files, register

NOW = datetime(2022, 11, 2, tzinfo=UTC)
HEADER = "invoice_item_no,invoice_date,store_id,item_id,bottles,sale_dollars"
PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
Lines = list[list[str]]


@dataclass(frozen=True)
class Fault:
    """How a week's lines are broken, and what has to become of it."""

    files: Callable[[Lines], dict[str, bytes]]
    quarantined: int = 0
    rule: str = ""
    repeated: int = 0
    refused: str = ""
    changed: bool = False
    """True when lines in quarantine or other quantities make the week's units differ from the clean ones."""
    noticed: str = ""


def csv(lines: Lines, header: str = HEADER, end: str = "\n") -> bytes:
    return (end.join([header, *(",".join(line) for line in lines)]) + end).encode()


def one(lines: Lines, header: str = HEADER) -> dict[str, bytes]:
    return {"drop.csv": csv(lines, header)}


def put(column: int, value: str, rows: int = 3) -> Callable[[Lines], dict[str, bytes]]:
    """Another value in one column of the first rows."""
    return lambda lines: one([[*line[:column], value, *line[column + 1 :]] if index < rows else line for index, line in enumerate(lines)])


def changed(change: Callable[[list[str]], list[str]], rows: int = 3) -> Callable[[Lines], dict[str, bytes]]:
    return lambda lines: one([change(line) if index < rows else line for index, line in enumerate(lines)])


def raw(change: Callable[[bytes], bytes]) -> Callable[[Lines], dict[str, bytes]]:
    return lambda lines: {"drop.csv": change(csv(lines))}


def american(line: list[str]) -> list[str]:
    year, month, day = line[1].split("-")
    return [line[0], f"{month}/{day}/{year}", *line[2:]]


def credited(lines: Lines, sign: str) -> Lines:
    """Credits of one bottle for lines that were delivered."""
    return [[f"RINV-{line[0]}", line[1], line[2], line[3], f"{sign}1", "0"] for line in lines]


FAULTS = {
    "nothing wrong": Fault(one),
    # Rows that break the contract go to quarantine; the others are taken in.
    "a negative quantity": Fault(put(4, "-6"), 3, "units_shipped: a quantity of 0 or more", changed=True),
    "a fraction of a bottle": Fault(put(4, "2.5"), 3, "units_shipped: a whole number", changed=True),
    "a quantity in words": Fault(put(4, "a dozen"), 3, "units_shipped: a whole number", changed=True),
    "no quantity": Fault(put(4, ""), 3, "units_shipped: a value", changed=True),
    "a quantity that is not a number": Fault(put(4, "nan"), 3, "units_shipped: a whole number", changed=True),
    "an infinite quantity": Fault(put(4, "inf"), 3, "units_shipped: a whole number", changed=True),
    "a quantity beyond all bounds": Fault(put(4, "1e30"), 3, "units_shipped: a whole number", changed=True),
    "a quantity with a currency sign": Fault(put(4, "$12"), 3, "units_shipped: a whole number", changed=True),
    "a quantity with a thousands separator": Fault(put(4, '"1,200"'), 3, "units_shipped: a whole number", changed=True),
    "a quantity like 1_200": Fault(put(4, "1_2x"), 3, "units_shipped: a whole number", changed=True),
    "an unknown store": Fault(put(2, "999999"), 3, "store_id: a store of the stores source", changed=True),
    "no store": Fault(put(2, ""), 3, "store_id: a value", changed=True),
    "an unknown product": Fault(put(3, "999999"), 3, "product_id: a product of the products source", changed=True),
    "no product": Fault(put(3, ""), 3, "product_id: a value", changed=True),
    "store and product swapped": Fault(changed(lambda r: [*r[:2], r[3], r[2], *r[4:]]), 3, "store_id: a store", changed=True),
    "date and quantity swapped": Fault(changed(lambda r: [r[0], r[4], *r[2:4], r[1], r[5]]), 3, "week: a date", changed=True),
    "no line number": Fault(put(0, ""), 3, "line_id: the line's number", changed=True),
    "a date in the future": Fault(put(1, "2099-01-04"), 3, "week: a day before the file arrived", changed=True),
    "a date before there were computers": Fault(put(1, "1922-01-02"), 3, "week: a day from 1980-01-01 on", changed=True),
    "a date that does not exist": Fault(put(1, "2022-13-45"), 3, "week: a date", changed=True),
    "the 30th of February": Fault(put(1, "2022-02-30"), 3, "week: a date", changed=True),
    "a line with a column too many": Fault(changed(lambda row: ["", *row]), 3, "row: a value for each column of the header", changed=True),
    "no date": Fault(put(1, ""), 3, "week: a value", changed=True),
    "mixed date formats": Fault(changed(american), 3, "week: a date", changed=True),
    "a serial date of a spreadsheet": Fault(put(1, "44650"), 3, "week: a date", changed=True),
    "a header in the middle": Fault(lambda rows: one([*rows[:9], HEADER.split(","), *rows[9:]])),
    "a total at the end": Fault(lambda rows: one([*rows, ["Total", "", "", "", "9999", "1"]]), 1, "store_id: a value|week: a value"),
    "a line number with two contents": Fault(
        lambda rows: one([*rows, [*rows[0][:4], str(int(rows[0][4]) + 6), rows[0][5]]]), 1, "line_id: one content for each"
    ),
    "a credit with a positive quantity": Fault(lambda rows: one([*rows, *credited(rows, "")[:3], *credited(rows, "-")[3:7]]), 3, "units_returned: a quantity of 0"),
    # Said again: counts once.
    "lines twice in a file": Fault(lambda rows: one([*rows, *rows[:5]]), repeated=5),
    "the whole file pasted twice": Fault(lambda rows: one([*rows, *rows]), repeated=-1),
    "the file sent again under another name": Fault(lambda rows: {**one(rows), "drop (1).csv": csv(rows)}),
    "the file sent again in another order": Fault(lambda rows: {**one(rows), "sorted.csv": csv(sorted(rows, reverse=True))}),
    "a part of the lines in a second file": Fault(lambda rows: {**one(rows), "part.csv": csv(rows[:40])}),
    "the week in two files": Fault(lambda rows: {"monday.csv": csv(rows[:99]), "tuesday.csv": csv(rows[99:])}),
    # Credits.
    "credits": Fault(lambda rows: one([*rows, *credited(rows[:3], "-")])),
    "a credit without a delivery": Fault(lambda rows: one([*rows, ["RINV-1", rows[0][1], rows[0][2], NEVER_DELIVERED, "-1", "0"]])),
    # Other shapes that mean the same.
    "a new column": Fault(
        lambda rows: one([[*row, "Joe"] for row in rows], HEADER + ",driver"), noticed="New columns ['driver'] are not mapped and were left aside"
    ),
    "columns in another order": Fault(lambda rows: one([row[::-1] for row in rows], ",".join(HEADER.split(",")[::-1]))),
    "an optional column dropped": Fault(lambda rows: one([row[:5] for row in rows], HEADER.rsplit(",", 1)[0])),
    "Windows line ends": Fault(raw(lambda text: text.replace(b"\n", b"\r\n"))),
    "a byte order mark": Fault(raw(lambda text: b"\xef\xbb\xbf" + text)),
    "quoted values": Fault(lambda rows: one([[f'"{value}"' for value in row] for row in rows])),
    "padded values": Fault(lambda rows: one([[f"  {value} " for value in row] for row in rows])),
    "no line end at the end": Fault(raw(lambda text: text[:-1])),
    "blank lines at the end": Fault(raw(lambda text: text + b"\n\n")),
    "dates with a time": Fault(lambda rows: one([[row[0], f"{row[1]} 23:30:00", *row[2:]] for row in rows])),
    "quantities like 6.0": Fault(lambda rows: one([[*row[:4], f"{row[4]}.0", row[5]] for row in rows])),
    # Files that are refused whole.
    "an empty file": Fault(lambda _: {"drop.csv": b""}, refused="came an empty file. Drop the file again."),
    "a header alone": Fault(lambda _: one([]), refused="expected rows of 'shipments' below the header, came none"),
    "a file cut off within a line": Fault(raw(lambda text: text[: text.rindex(b"\n", 0, -1) + 20]), refused="came . values and no line end.* The file is cut off there: drop it again whole.* say in the provider YAML how it begins .'rows_end: "),
    "an error page": Fault(lambda _: {"drop.csv": b"<html><body>503 Service Unavailable</body></html>\n"}, refused=r"columns .* are missing"),
    "a picture": Fault(lambda _: {"drop.csv": bytes(range(256)) * 40}, refused="drop.csv"),
    "a compressed file with a wrong name": Fault(raw(gzip.compress), refused="drop.csv"),
    "UTF-16": Fault(raw(lambda text: text.decode().encode("utf-16")), refused="drop.csv"),
    "Latin-1 where UTF-8 is agreed": Fault(raw(lambda text: text.replace(b",", b",\xa3", 60)), refused=r"came the byte 0xa3 .* under 'encoding'"),
    "a column dropped": Fault(
        lambda rows: one([[*row[:4], row[5]] for row in rows], HEADER.replace("bottles,", "")), refused=r"columns \['bottles'\] are missing"
    ),
    "a column renamed": Fault(
        raw(lambda text: text.replace(b"bottles", b"units")), refused=r"columns \['bottles'\] are missing.*of which \['.*units'\] are not mapped"
    ),
    "no header": Fault(raw(lambda text: text.split(b"\n", 1)[1]), refused=r"columns .* are missing"),
    "another delimiter": Fault(raw(lambda text: text.replace(b",", b";")), refused=r"columns .* are missing"),
    "every date unreadable": Fault(lambda rows: one([american(row) for row in rows]), refused="the file is refused whole"),
    "most stores unknown": Fault(lambda rows: put(2, "0", len(rows) * 3 // 4)(rows), refused="the file is refused whole"),
}  # fmt: skip
NEVER_DELIVERED = ""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> ProviderSpec:
    """The provider of the real invoices, as one that drops a CSV file for each week."""
    spec = yaml.safe_load((BUILT_IN / "iowa_dsd.yaml").read_text())
    for source in ("shipments", "returns"):
        spec["sources"][source][0] |= {"files": "invoices/*/*.csv", "format": "csv"}
    path = tmp_path_factory.mktemp("provider") / "invoices.yaml"
    path.write_text(yaml.safe_dump(spec))
    return load_provider(str(path))


@dataclass(frozen=True)
class Outcome:
    lake: Lake
    weeks: dict[str, Week]
    """Week that each fault was put into."""
    clean: dict[str, Lines]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, real_data: Path, provider: ProviderSpec) -> Outcome:
    global NEVER_DELIVERED  # noqa: PLW0603 - a product that the real data have to name
    lake = Lake(str(tmp_path_factory.mktemp("faults")))
    top = folder(lake, provider)
    top.mkdir(parents=True)
    data = real_data / "iowa_dsd"
    for name in ("products.csv", "zip_demographics.csv", "events.csv", "weather_observed_daily.csv", "weather_forecast_daily.csv", "stores.csv"):
        (top / name).write_bytes((data / name).read_bytes())
    rows = duckdb.sql(
        f"""
        select date_trunc('week', invoice_date)::date, invoice_item_no, invoice_date::date::varchar, store_id::varchar, item_id::varchar, bottles, sale_dollars
        from '{data}/invoice_lines.parquet'
        where store_id::varchar in (select store_id from read_csv('{data}/stores.csv', all_varchar = true) where region = 'SIOUX_CITY')
            and not starts_with(invoice_item_no, 'RINV-')
        order by all
        """
    ).fetchall()
    by_week: dict[date, Lines] = {}
    for week, *line in rows:
        by_week.setdefault(week, []).append([str(value) for value in line])
    delivered = {(line[2], line[3]) for lines in by_week.values() for line in lines}
    weeks = sorted(by_week)[-len(FAULTS) :]
    used, clean = {}, {}
    for (name, fault), monday in zip(FAULTS.items(), weeks, strict=True):
        lines = by_week[monday]
        products = sorted({product for _, product in delivered})
        NEVER_DELIVERED = next(product for product in products if (lines[0][2], product) not in delivered)
        used[name], clean[name] = Week(monday), lines
        target = top / "invoices" / str(monday)
        target.mkdir(parents=True)
        for file, content in fault.files(lines).items():
            (target / file).write_bytes(content)
    register(lake, provider, NOW)
    ingest_reference(lake, provider)
    blocks = blocks_of(pending(lake, provider))
    ingest(lake, provider, blocks)
    build(lake, provider, weeks)
    return Outcome(lake, used, clean)


def build(lake: Lake, provider: ProviderSpec, weeks: list[date]) -> None:
    variables = {"lake_root": lake.root, "additive": provider.additive, "regions": ["sioux_city"]}
    variables |= {"week_first": str(weeks[0]), "week_last": str(weeks[-1])}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        for tag in ("tag:reference", "tag:sliced"):
            where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--vars", json.dumps(variables), "--select", tag]
            assert dbtRunner().invoke(["--quiet", "build", "--exclude-resource-type", "unit_test", *where]).success


def records(lake: Lake, week: Week) -> list[dict[str, object]]:
    return lake.read("bronze/landing_files", where=f"source_file like 'invoices/{week}/%'").to_pylist()


def units(lake: Lake, table: str, column: str, week: Week) -> int:
    return int(lake.read(table, where=f"week = date '{week}'", columns=f"coalesce(sum({column}), 0) as n")["n"][0].as_py())


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) >= 40


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_handled_or_refused_with_a_clear_message(name: str, outcome: Outcome, provider: ProviderSpec) -> None:
    fault, week, lake = FAULTS[name], outcome.weeks[name], outcome.lake
    quarantine = lake.read("bronze/quarantine", where=f"source_file like 'invoices/{week}/%'").to_pylist()
    refused = [found for found in refused_files(lake, provider) if found.source_file.startswith(f"invoices/{week}/") and found.source == "shipments"]
    shipped = sum(int(line[4]) for line in outcome.clean[name])
    taken = units(lake, "gold/demand", "units_shipped", week)
    if fault.refused:
        assert len(refused) == 1
        assert re.search(fault.refused, refused[0].message), refused[0].message
        assert "drop.csv" in refused[0].message
        assert (taken, quarantine) == (0, [])
        return
    assert refused == []
    assert len(quarantine) == fault.quarantined
    for row in quarantine:
        assert re.match(fault.rule, row["rule"]), row["rule"]
        assert re.match(rf"invoices/{week}/drop\.csv, row \d+, column \w+: expected .+, came .+\. .+", row["message"]), row["message"]
        assert json.loads(row["record"])
    repeated = sum(row["rows_repeated"] for row in records(lake, week))  # type: ignore[misc]
    assert repeated == (len(outcome.clean[name]) if fault.repeated < 0 else fault.repeated)
    # Lines that waited had other quantities once: what is left is the clean week without them.
    lost = sum(int(line[4]) for line in outcome.clean[name][:3]) if fault.changed else 0
    assert taken == shipped - lost
    if fault.noticed:
        assert any(fault.noticed in str(row["message"]) for row in records(lake, week))


@pytest.mark.parametrize("name", FAULTS)
def test_every_row_is_found_again(name: str, outcome: Outcome) -> None:
    """Each row of a file is taken, repeated or quarantined as a shipment or as a return, or its file is refused."""
    week, lake = outcome.weeks[name], outcome.lake
    found: dict[object, dict[object, dict[str, object]]] = {}
    for row in records(lake, week):
        found.setdefault(row["source_file"], {})[row["source"]] = row
    assert found or name == "the file sent again under another name"
    for sources in found.values():
        assert set(sources) == {"shipments", "returns"}
        if any(row["status"] == "refused" for row in sources.values()):
            continue
        for row in sources.values():
            assert row["rows_read"] == sum(row[f"rows_{end}"] for end in ("skipped", "repeated", "quarantined", "taken"))  # type: ignore[misc]
        assert sum(row["rows_read"] - row["rows_skipped"] for row in sources.values()) == sources["shipments"]["rows_read"]  # type: ignore[operator, misc]
    placed = lake.read("bronze/quarantine", where=f"source_file like 'invoices/{week}/%'").num_rows
    assert placed == sum(row["rows_quarantined"] for sources in found.values() for row in sources.values() if row["status"] == "accepted")  # type: ignore[misc]


def test_bronze_silver_and_gold_hold_the_same_units(outcome: Outcome) -> None:
    lake = outcome.lake
    sums = {
        table: lake.read(table, columns=f"sum({column}) as n")["n"][0].as_py()
        for table, column in (("bronze/shipments", "units_shipped"), ("silver/shipments", "units_shipped"), ("gold/demand", "units_shipped"))
    }
    assert len(set(sums.values())) == 1
    returned = {table: lake.read(table, columns="sum(units_returned) as n")["n"][0].as_py() for table in ("bronze/returns", "gold/demand")}
    assert returned == {"bronze/returns": 8, "gold/demand": 8}


def test_corrected_files_bring_everything_back(outcome: Outcome, provider: ProviderSpec) -> None:
    """The last test of the story: after each drop is sent again as it should have been, nothing waits and every week is whole."""
    lake = outcome.lake
    for name, week in outcome.weeks.items():
        for path in (folder(lake, provider) / "invoices" / str(week)).iterdir():
            path.write_bytes(csv(outcome.clean[name]))
    register(lake, provider, NOW + timedelta(days=1))
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    assert refused_files(lake, provider) == []
    assert lake.read("bronze/quarantine").num_rows == 0
    for name, week in outcome.weeks.items():
        assert units(lake, "bronze/shipments", "units_shipped", week) == sum(int(line[4]) for line in outcome.clean[name]), name
