"""Tables for the terminal: accuracy by region, and the state of a lake."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.project import Project
from orchestration.settings import Settings
from orchestration.views.tables import size_text
from transforms.adapters import load_provider
from transforms.calendar import SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import FORECASTS, LEADERBOARD
from transforms.contracts.rungs import CHAMPION
from transforms.lake.remote.working_copy import listed, on_this_machine
from transforms.lake.tables import Lake
from transforms.landing import (
    Conservation,
    conservation,
    folder,
    last_week,
    noticed_files,
    pending,
    pending_references,
    refused_files,
    regions,
    unfound,
    unfound_told,
)
from transforms.monitoring.accuracy import by_region, champions_by_region, drift_by_region, rungs_served, weather_by_kind


def show_accuracy(lake: Lake, project: Project, forecast: SliceBlock, origin: Week, console: Console) -> None:
    """The end of a run: how the forecasts for these weeks turned out, as far as the weeks have landed, and which ones are waited for."""
    landed = last_week(lake)
    last = min(forecast.last, landed) if landed is not None else forecast.first + -1
    names = set(map(str, forecast.regions))
    rows = [row for row in by_region(lake, forecast.first, last) if row["region"] == "all" or row["region"] in names]
    if rows:
        _show_scores(lake, project.gate.max_mape, rows, forecast.first, last, origin, console)
    elif last >= forecast.first:
        console.print(f"{forecast.first}..{last} have landed, and no forecast had been made for them.", highlight=False)
    if last < forecast.last:
        waiting = max(last + 1, forecast.first)
        console.print(f"Forecasts made at {origin} for {waiting}..{forecast.last} wait for these weeks to land.", highlight=False)
    _show_rungs(lake, forecast, origin, console)


def _show_scores(lake: Lake, max_mape: float, rows: Sequence[Mapping[str, Any]], first: Week, last: Week, origin: Week, console: Console) -> None:
    """One row a region, all regions at the end; a MAPE above `max_mape` is red."""
    promoted, drift = champions_by_region(lake), drift_by_region(lake, origin)
    table = Table(title=f"Forecasts for {first} to {last}, as they turned out", caption=_CAPTION.format(max_mape=max_mape))
    table.add_column("region", no_wrap=True)
    for name in ("MAPE", "hist. avg", "better by", "RMSE 0", "RMSE all", "rows", "of them 0", "models", "drift"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        total = row["region"] == "all"
        table.add_row(
            row["region"],
            _mape(row["mape"], max_mape),
            _number(row["baseline_mape"]),
            _gain(row["mape"], row["baseline_mape"]),
            _number(row["rmse_0"]),
            _number(row["rmse_all"]),
            f"{row['n']:,}",
            f"{row['n_zero']:,}",
            str(sum(promoted.values()) if total else promoted.get(row["region"], 0)),
            "" if total else _drift(drift.get(row["region"])),
            end_section=False,
            style="bold" if total else None,
        )
    console.print(table)


def _show_rungs(lake: Lake, forecast: SliceBlock, origin: Week, console: Console) -> None:
    """How many of the rows made at the origin each step of the failover ladder served, and why, where that is anything but the champions."""
    served = [row for row in rungs_served(lake, origin) if row["region"] in set(map(str, forecast.regions))]
    counts = Counter[str]()
    for row in served:
        counts[row["rung"]] += row["n"]
    if not set(counts) - {CHAMPION}:
        return
    console.print(f"Made at {origin} by: {', '.join(f'{rung} {n:,} rows' for rung, n in counts.most_common())}.", highlight=False, soft_wrap=True)
    others = [row for row in served if row["rung"] != CHAMPION]
    for row in others[:_MOST_REASONS]:
        where = f"{row['region']} {row['format']} {row['mover']}"
        console.print(
            f"  {where}: {row['rung']} {row['n']:,} rows: {escape(row['reason'] or 'no reason on record')}", highlight=False, soft_wrap=True
        )
    if len(others) > _MOST_REASONS:
        console.print(
            f"  and {len(others) - _MOST_REASONS} more: rung and rung_reason of gold/forecasts tell of each row", highlight=False, soft_wrap=True
        )


_MOST_REASONS = 6
_CAPTION = (
    "MAPE of size over rows with demand (target <= {max_mape:.3f}), beside the historical average of non-zero weeks; RMSE of expected demand. "
    "models: segments with a promoted ensemble. drift: columns drifted of those watched."
)


def show_weather(lake: Lake, origin: Week, console: Console) -> None:
    """What accuracy owes to the weather, one row a region."""
    table = Table(title=f"Accuracy at {origin} with weather as issued, as it came to be, and without", caption=_WEATHER_CAPTION)
    table.add_column("region", no_wrap=True)
    for metric in ("MAPE", "RMSE"):
        for kind in ("issued", "realised", "none"):
            table.add_column(f"{metric} {kind}", justify="right", no_wrap=True)
    table.add_column("rows", justify="right")
    for row in weather_by_kind(lake, origin):
        numbers = [_number(row[f"{metric}_{kind}"]) for metric in ("mape", "rmse_all") for kind in ("issued", "realised", "none")]
        table.add_row(row["region"], *numbers, f"{row['n']:,}", style="bold" if row["region"] == "all" else None)
    console.print(table)


def show_leaderboard(lake: Lake, console: Console) -> None:
    """The public benchmark over all rounds, best first."""
    table = Table(title="Orange juice, published rounds: MAPE in percent, median over seeds")
    for name in ("model", "source"):
        table.add_column(name, no_wrap=True)
    for name in ("MAPE", "least", "largest", "rows", "seconds"):
        table.add_column(name, justify="right")
    for row in lake.read(LEADERBOARD.name, where="round = 0").sort_by("mape").to_pylist():
        numbers = [f"{row[name]:.2f}" if row[name] is not None else "" for name in ("mape", "mape_best", "mape_worst")]
        rest = [f"{row[name]:,.0f}" if row[name] is not None else "" for name in ("rows", "seconds")]
        table.add_row(row["model"], row["source"], *numbers, *rest, style="bold" if row["source"] == "measured" else None)
    console.print(table)


_WEATHER_CAPTION = "The same models, trained and scored three times; realised weather looks into the future: no forecast can be better."


def show_status(settings: Settings, console: Console) -> None:
    """`shelfcast status`."""
    lake = Lake(settings.root, settings.storage_options)
    project = Project.of(lake)
    provider = load_provider(project.provider, base=lake.path())
    console.print(f"[bold]{escape(provider.name)}[/] in {escape(lake.root)}; last week with shipments: {last_week(lake) or 'none'}")
    waiting, refused = pending(lake, provider), refused_files(lake, provider)
    references = f", and {', '.join(told)}" if (told := pending_references(lake, provider)) else ""
    console.print(f"{len(waiting)} slices wait to be taken in{references}; {len(refused)} files refused")
    for refusal in refused:
        console.print(f"  [red]-[/] {escape(refusal.message)}", highlight=False, soft_wrap=True)
    noticed: dict[str, list[str]] = {}
    for notice in noticed_files(lake, provider):
        noticed.setdefault(notice.message, []).append(notice.source_file)
    for message, names in noticed.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        console.print(f"  [yellow]-[/] {escape(f'{names[-1]}{more}: {message}')}", highlight=False, soft_wrap=True)
    if others := unfound(folder(lake, provider), provider):
        console.print(f"  [yellow]-[/] {escape(unfound_told(others, 'landing'))}", highlight=False, soft_wrap=True)
    _show_conservation(conservation(lake, provider), console)
    table = Table("table", "rows", "version", title="Tables")
    for name in CONTRACTS:
        if lake.exists(name):
            rows = lake.read(name, columns="count(*) as n")["n"][0].as_py()
            table.add_row(name, f"{rows:,}", str(lake.version(name)))
    console.print(table)
    _show_size(lake, console)
    if lake.exists(FORECASTS.name):
        origin = Week(lake.read(FORECASTS.name, columns="max(origin_week) as week")["week"][0].as_py())
        latest = last_week(lake) or origin
        first = min(latest + (1 - project.horizons), origin + 1)
        show_accuracy(lake, project, SliceBlock(tuple(regions(lake)), first, origin + project.horizons), origin, console)


def _show_size(lake: Lake, console: Console) -> None:
    """What the lake's folders take, and how many files."""
    # The run history lies on this machine, wherever the lake does.
    found = {name: [file.size for file in listed(lake, name)] for name in ("lake", "models", "staged", "landing", "reports")}
    found["dagster"] = [file.size for file in on_this_machine(lake, "dagster")]
    told = [f"{name} {size_text(sum(sizes))} in {len(sizes):,} files" for name, sizes in found.items() if sizes]
    console.print(
        f"{'On disk' if lake.is_local else 'In the store'}: {', '.join(told) or 'nothing yet'}; 'shelfcast maintain --dry-run' shows what may go.",
        highlight=False,
        soft_wrap=True,
    )


def _show_conservation(found: Conservation, console: Console) -> None:
    """Where the records of the landing files went, and whether all sums agree."""
    if not found.totals:
        return
    table = Table(title="Landing: where each record went")
    table.add_column("source", no_wrap=True)
    for name in ("files", "records", "aside", "taken", "repeated", "skipped", "quarantined", "refused", "files refused"):
        table.add_column(name, justify="right")
    for total in found.totals:
        numbers = (total.files, total.records, total.aside, *total.ends.values(), total.refused_files)
        table.add_row(total.source, *(f"{number:,}" for number in numbers))
    console.print(table)
    if uncounted := sum(total.uncounted_files for total in found.totals):
        console.print(f"Records of {uncounted:,} files are not counted: not readable, or read before records were counted.", highlight=False)
    if not found.findings:
        console.print("The sums agree: each record is aside, taken, repeated, skipped, quarantined or refused; bronze holds what was taken.")
    for finding in found.findings:
        console.print(f"  [red]-[/] {escape(finding.message)}", highlight=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _mape(value: float | None, most: float) -> str:
    if value is None:
        return "-"
    return f"[green]{value:.3f}[/]" if value <= most else f"[red]{value:.3f}[/]"


def _gain(value: float | None, baseline: float | None) -> str:
    return "-" if value is None or not baseline else f"{1 - value / baseline:.0%}"


def _drift(found: tuple[int, int] | None) -> str:
    return "-" if found is None else f"{found[0]}/{found[1]}"
