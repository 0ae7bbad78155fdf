"""What `shelfcast data` shows and decides: the history of the conditioned data, differences, approvals."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.lifecycle.data_approval import forecast_moves
from orchestration.project import Project
from orchestration.reports.report import plain
from orchestration.service.decisions import decide_on_data
from orchestration.settings import Settings
from orchestration.views.tables import by_whom, narrow_table
from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS, Contract
from transforms.errors import ConfigurationError, MissingData
from transforms.exports.obfuscation import PROVIDER, SampleSize, obfuscate
from transforms.exports.tables import export
from transforms.lake.differences import table_difference
from transforms.lake.tables import Lake, day, region_list
from transforms.landing import named_region
from transforms.records.dataset_versions import READ_TABLES, Dataset, Status, approved_before, log
from transforms.records.model_registry import POOLED


def show_log(settings: Settings, regions: Sequence[str], limit: int, console: Console) -> None:
    """List the versions of each region's data."""
    lake = _lake(settings)
    found = log(lake, [named_region(lake, region) for region in regions] or None)
    if not found:
        raise MissingData("There is no data version yet: run 'shelfcast init' or 'shelfcast run' first.")
    table = narrow_table("Data versions", {"version": 16, "recorded (UTC)": 10, "last week": 10, "rows": 5, "status": 8, "by whom and why": 12})
    for dataset in found[-limit:]:
        colour = {"approved": "green", "rejected": "red"}.get(dataset.status, "yellow")
        moment, status = f"{dataset.recorded_at:%Y-%m-%d %H:%M:%S}", f"[{colour}]{dataset.status}[/]"
        table.add_row(dataset.version, moment, str(dataset.last_week), f"{dataset.rows:,}", status, by_whom(dataset.actor, dataset.reason))
    console.print(table)


def show_difference(settings: Settings, chosen: str, before: str | None, after: str | None, forecasts: bool, console: Console) -> None:
    """Compare two versions by table, and forecast with both."""
    lake = _lake(settings)
    region = named_region(lake, chosen)
    old, new = _pair(lake, region, before, after)
    if old is None:
        console.print(
            f"{new.version} ({new.status}, to {new.last_week}) is the first version of {region}: no other was approved before it, so there is "
            "nothing to compare it with. The next week or correction that is taken in makes one.",
            highlight=False,
            soft_wrap=True,
        )
        return
    console.print(f"[bold]{old.version}[/] ({old.status}, to {old.last_week}) -> [bold]{new.version}[/] ({new.status}, to {new.last_week})")
    table = Table("table", "rows", "added", "changed", "removed", "weeks", "columns changed", "schema")
    for name in READ_TABLES:
        found = table_difference(lake.at(old.delta_versions), lake.at(new.delta_versions), name, region)
        columns = ", ".join(f"{column} {count:,}" for column, count in found.columns.items())
        weeks = f"{found.first}..{found.last}" if found.first else ""
        numbers = (f"{number:,}" for number in (found.added, found.changed, found.removed))
        table.add_row(name, f"{found.rows_before:,} -> {found.rows_after:,}", *numbers, weeks, columns, found.schema)
    console.print(table)
    if forecasts:
        _show_moves(lake, region, old, new, console)


def show_table(
    settings: Settings, table: str, as_of: datetime | None, regions: Sequence[str], first: str | None, last: str | None, limit: int, console: Console
) -> None:
    """Show rows of a table as they were known at a time."""
    _contract(table)
    lake = _lake(settings)
    _check_regions(lake, regions)
    if as_of is not None:
        lake = lake.as_of(as_of.replace(tzinfo=UTC))
    with lake.connect(table) as connection:
        rows = connection.execute(f"from {table.replace('/', '_')} where {slice_filter(table, regions, first, last)}").to_arrow_table()
    console.print(f"[bold]{table}[/] {f'as of {as_of} UTC' if as_of else 'now'}: {rows.num_rows:,} rows, Delta version {lake.version(table)}")
    if not rows.num_rows:
        console.print(_what_there_is(lake, table))
        return
    shown = [["" if value is None else escape(str(value)) for value in row.values()] for row in rows.slice(0, limit).to_pylist()]
    _print_rows(rows.column_names, shown, console)


def _print_rows(names: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Rows as a table; where it is wider than the terminal, column by column, since cells of two letters a line cannot be read."""
    wide = sum(max(len(name), *(len(row[number]) for row in rows)) + 3 for number, name in enumerate(names)) + 1
    if wide <= console.width:
        table = Table(*names)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    margin = max(map(len, names))
    for number, row in enumerate(rows, start=1):
        console.print(f"[dim]row {number}[/]")
        for name, value in zip(names, row, strict=True):
            if value:
                console.print(f"  {name:<{margin}}  {value}", highlight=False, soft_wrap=True)


def _what_there_is(lake: Lake, table: str) -> str:
    """What a table holds, for who asked for rows that it has not."""
    with lake.connect(table) as connection:
        view = table.replace("/", "_")
        names = [row[0] for row in connection.execute(f"describe {view}").fetchall()]
        dated = "min(week), max(week)" if "week" in names else "null, null"
        regions = "string_agg(distinct region, ', ' order by region)" if "region" in names else "null"
        [(count, first, last, there)] = connection.execute(f"select count(*), {dated}, {regions} from {view}").fetchall()
    if not count:
        return f"{table} holds no rows yet."
    weeks = f" of the weeks {first} to {last}" if first is not None else ""
    return f"No rows of {table} are of what you asked for: it holds {count:,}{weeks}{f' in {escape(there)}' if there else ''}."


def decide_latest(settings: Settings, chosen: str, event: Status, by: str, why: str, console: Console) -> None:
    """Approve or reject the latest version of a region's data."""
    lake = _lake(settings)
    dataset = decide_on_data(lake, named_region(lake, chosen), event, by, why, plain(console))
    console.print(f"{dataset.version}: [bold]{event}[/] by {escape(by)}: {escape(why)}")


def export_table(settings: Settings, table: str, target: Path, regions: Sequence[str], first: str | None, last: str | None, console: Console) -> None:
    """Write a slice of a table as a file."""
    _contract(table)
    lake = _lake(settings)
    _check_regions(lake, regions)
    rows = export(lake, table, slice_filter(table, regions, first, last), target)
    console.print(f"{rows:,} rows of {table} -> {escape(str(target))}", highlight=False)
    if not rows:
        console.print(_what_there_is(lake, table))


def obfuscate_lake(settings: Settings, target: Path, salt_file: Path | None, size: SampleSize, console: Console) -> None:
    """Write an obfuscated sample and say how to use it."""
    if salt_file is not None and not salt_file.exists():
        raise ConfigurationError(f"--salt-file {salt_file} does not exist: expected a file with a secret of 16 characters or more.")
    salt = salt_file.read_text().strip() if salt_file else settings.salt
    counts = obfuscate(_lake(settings), target, salt, size)
    console.print(", ".join(f"{source} {count:,}" for source, count in counts.items()), highlight=False)
    console.print(
        f"Try it: shelfcast init --provider {escape(str(target / PROVIDER))} --landing {escape(str(target))} --root <new root>", highlight=False
    )


def _check_regions(lake: Lake, regions: Sequence[str]) -> None:
    for region in regions:
        named_region(lake, region, POOLED)


def _contract(table: str) -> Contract:
    if table not in CONTRACTS:
        raise ConfigurationError(f"There is no table {table!r}: expected one of {', '.join(CONTRACTS)}.")
    return CONTRACTS[table]


def slice_filter(table: str, regions: Sequence[str], first: str | None, last: str | None) -> str:
    """SQL predicate for regions (all, where none is named) and a range of weeks of a table.

    Raises
    ------
    ConfigurationError
        If the table has no such column.
    """
    contract = CONTRACTS[table]
    wheres: list[tuple[str, str]] = []
    if regions:
        wheres.append(("region", f"in ({region_list([Region(region) for region in regions])})"))
    if first is not None:
        wheres.append((contract.week_column, f">= {day(Week.parse(first))}"))
    if last is not None:
        wheres.append((contract.week_column, f"<= {day(Week.parse(last))}"))
    for column, _ in wheres:
        if column not in contract.names:
            raise ConfigurationError(f"{table} has no column {column!r} to choose rows by; it has {', '.join(contract.names)}.")
    return " and ".join(f"{column} {condition}" for column, condition in wheres) or "true"


def _lake(settings: Settings) -> Lake:
    return Lake(settings.root, settings.storage_options)


def _pair(lake: Lake, region: Region, before: str | None, after: str | None) -> tuple[Dataset | None, Dataset]:
    found = log(lake, [region])
    new = _named(found, after, region) if after else (found[-1] if found else None)
    old = _named(found, before, region) if before else (approved_before(lake, region, new.recorded_at) if new else None)
    if new is None:
        raise MissingData(f"{region} has no data version yet: run 'shelfcast init' or 'shelfcast run' first.")
    return old, new


def _named(found: list[Dataset], version: str, region: Region) -> Dataset:
    matching = [dataset for dataset in found if dataset.version == version]
    if not matching:
        raise ConfigurationError(f"{region} has no data version {version!r}: expected one of {', '.join(d.version for d in found) or 'none'}.")
    return matching[-1]


def _show_moves(lake: Lake, region: Region, old: Dataset, new: Dataset, console: Console) -> None:
    origin = min(old.last_week, new.last_week)
    moves = forecast_moves(lake, region, Project.of(lake), old.delta_versions, new.delta_versions, origin)
    if moves is None:
        console.print(f"No ensemble serves {region} at {origin}: no forecast can move.")
        return
    console.print(
        f"With the champions of {origin}: {moves.moved:,} of {moves.forecasts:,} forecasts would move by more than 10 %; "
        f"the sum of all moves is {moves.share:.2%} of the demand forecast."
    )
    if moves.largest:
        table = Table("store", "product", "target week", "before", "after")
        for row in moves.largest:
            table.add_row(escape(row["store_id"]), escape(row["product_id"]), str(row["target_week"]), f"{row['before']:.1f}", f"{row['after']:.1f}")
        console.print(table)
