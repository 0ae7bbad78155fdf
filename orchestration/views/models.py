"""What `shelfcast models` shows and decides."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from orchestration.experiments.mlflow_mirror import catch_up, refusal
from orchestration.lifecycle.rollback import origin_on
from orchestration.project import Project
from orchestration.reports.report import plain
from orchestration.service import decisions
from orchestration.settings import Settings
from orchestration.views.tables import by_whom, narrow_table
from transforms.calendar import Region, Week
from transforms.contracts.life_cycle import RETRAINING
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake, day
from transforms.landing import named_region, regions
from transforms.records.model_registry import CHAMPION, POOLED, REJECTED, RETIRED, ROLLED_BACK, WAITING, champions, events_of, states

_TRAINED = "trained"
"""The state of a version that nothing has been decided about."""
_STATES = (_TRAINED, WAITING, CHAMPION, REJECTED, RETIRED, ROLLED_BACK)


def show_versions(settings: Settings, chosen: Sequence[str], state: str | None, limit: int, console: Console) -> None:
    """`shelfcast models list`."""
    lake = _lake(settings)
    for region in chosen:
        named_region(lake, region, POOLED)
    found = [row | {"state": row["state"] or _TRAINED} for row in states(lake)]
    if state not in {None, *_STATES}:
        raise ConfigurationError(f"--state {state}: expected one of {', '.join(_STATES)}.")
    rows = [row for row in found if (not chosen or row["region"] in chosen) and state in {None, row["state"]}]
    latest = sorted(rows, key=lambda row: row["trained_at"], reverse=True)[:limit]
    table = narrow_table(
        f"{len(latest)} of {len(rows)} versions", {"version": 18, "state": 8, "since": 10, "MAPE": 5, "hist. avg": 5, "by whom and why": 14}
    )
    for row in latest:
        metrics = json.loads(row["metrics"])
        numbers = (_number(metrics.get("mape")), _number(metrics.get("baseline_mape")))
        table.add_row(row["model_version"], row["state"], _text(row["since"]), *numbers, by_whom(row["actor"], row["reason"]))
    console.print(table)


def show_version(settings: Settings, name: str, console: Console) -> None:
    """`shelfcast models show`."""
    lake = _lake(settings)
    row = decisions.recorded(lake, name)
    for field in ("model_version", "state", "trained_week", "trained_at", "run_id", "code_version", "dataset_version", "artifact_uri", "sha256"):
        console.print(f"{field:>16}  {row[field]}", highlight=False)
    table = narrow_table("Decisions", {"time (UTC)": 10, "decision": 8, "from origin": 10, "by whom and why": 30})
    checks = narrow_table("Checks behind the last judgement", {"check": 8, "passed": 6, "value": 7, "limit": 6, "detail": 30})
    numbers: list[dict[str, Any]] = []
    for one in events_of(lake, name):
        moment = f"{one['event_time']:%Y-%m-%d %H:%M:%S}"
        table.add_row(moment, one["event"], str(one["effective_week"]), by_whom(one["actor"], one["reason"], one["replaces"]))
        numbers = json.loads(one["numbers"]) if one["numbers"] else numbers
    for check in numbers:
        checks.add_row(check["name"], _passed(check), _number(check["value"]), _number(check["limit"]), escape(check["detail"]))
    console.print(table)
    console.print(checks)


def show_ledger(settings: Settings, on: date, as_of: datetime | None, chosen: Sequence[str], console: Console) -> None:
    """`shelfcast models ledger`."""
    lake = _lake(settings)
    known = as_of.replace(tzinfo=UTC) if as_of else None
    rows = champions(lake, [*_regions(lake, chosen), POOLED], origin_on(on), known)
    # A version begins with its region, format and mover.
    table = narrow_table(f"Champions on {on} (decisions up to origin {origin_on(on)})", {"champion": 30, "since": 10, "by whom and why": 26})
    for row in rows:
        table.add_row(row["model_version"], str(row["since"]), by_whom(row["actor"], row["reason"]))
    console.print(table)
    counts = Counter("pooled" if row["region"] == str(POOLED) else row["kind"] for row in rows)
    console.print(f"{counts['ensemble']} ensembles, {counts['baseline']} historical averages, {counts['pooled']} pooled models.")


def show_retraining_of(settings: Settings, week: str | None, names: Sequence[str], console: Console) -> None:
    """`shelfcast models retraining`."""
    lake = _lake(settings)
    chosen = _regions(lake, names)
    newest = lake.read(RETRAINING.name, columns="max(week) as week")["week"][0].as_py() if lake.exists(RETRAINING.name) else None
    if newest is None:
        raise MissingData("Nothing has been trained yet: run 'shelfcast run --week <Monday>' first.")
    at = Week.parse(week) if week else Week(newest)
    show_retraining(lake, chosen, at, at, console)


def show_retraining(lake: Lake, chosen: Sequence[Region], first: Week, last: Week, console: Console) -> None:
    """'12 retrained, 44 reused', and why: one row for each origin and cause."""
    names = ", ".join(f"'{region}'" for region in chosen)
    with lake.connect(RETRAINING.name) as connection:
        rows = connection.execute(
            f"""
            select week, retrained, cause, reason, count(*) as n from gold_retraining
            where week between {day(first)} and {day(last)} and region in ({names}) and (retrained or reused is not null)
            group by all order by week, retrained desc, n desc, reason
            """
        ).fetchall()
    trained, reused = (sum(row[4] for row in rows if row[1] is kind) for kind in (True, False))
    table = narrow_table(f"{trained} retrained, {reused} reused", {"origin": 10, "what": 9, "models": 6, "cause": 9, "why": 24})
    for week, retrained, cause, reason, n in rows:
        table.add_row(str(week), "retrained" if retrained else "reused", str(n), "" if cause == "none" else cause, escape(reason))
    console.print(table)


def approve_version(settings: Settings, name: str, by: str, why: str, console: Console) -> None:
    """`shelfcast models approve`."""
    _show(decisions.approve(settings, name, by, why, plain(console)), console)


def reject_version(settings: Settings, name: str, by: str, why: str, console: Console) -> None:
    """`shelfcast models reject`."""
    _show(decisions.reject(settings, name, by, why, plain(console)), console)


def roll_back(settings: Settings, on: date | None, previous: bool, names: Sequence[str], by: str, why: str, console: Console) -> None:
    """`shelfcast models rollback`."""
    if (on is None) is not previous:
        raise ConfigurationError("rollback needs one of --on DATE and --previous: say what shall come back.")
    lake = _lake(settings)
    decided = decisions.roll_back(settings, _regions(lake, names), on, by, why, plain(console))
    if not decided.events:
        console.print("Nothing to roll back: the champions are those already.")
        return
    _show(decided, console)
    week = decided.events[0].effective_week
    console.print(f"In force from origin {week} on. To make its forecasts anew: shelfcast run --week {week}")


def mirror_now(settings: Settings, console: Console) -> None:
    """`shelfcast models mirror`: unlike a run, the command fails where the server does not answer."""
    if not settings.tracking_uri:
        raise ConfigurationError("There is no mirror: set SHELFCAST_TRACKING_URI to the address of an MLflow tracking server.")
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - heavy

    lake = _lake(settings)
    try:
        console.print(catch_up(lake, Project.of(lake), settings.tracking_uri), highlight=False)
    except MlflowException as error:
        # Not from the error: its words hold the address as it was given.
        raise MissingData(f"{refusal(settings.tracking_uri, 'the registry', error)}. Start it, and try again.") from None


def _passed(check: dict[str, Any]) -> str:
    return "yes" if check["passed"] else "[red]NO[/]" if check.get("decides", True) else "no (on record)"


def _show(decided: decisions.Decided, console: Console) -> None:
    table = narrow_table("Put on record", {"version": 20, "decision": 8, "from origin": 10, "by whom and why": 24})
    for one in decided.events:
        table.add_row(one.model_version, one.event, str(one.effective_week), by_whom(one.actor, one.reason, one.replaces))
    console.print(table)
    if decided.mirror:
        console.print(decided.mirror, highlight=False)


def _regions(lake: Lake, names: Sequence[str]) -> list[Region]:
    return [named_region(lake, name) for name in names] or regions(lake)


def _lake(settings: Settings) -> Lake:
    return Lake(settings.root, settings.storage_options)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
