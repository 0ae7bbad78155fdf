"""What `shelfcast ab` starts, stops and shows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from models.evaluation.ab_test import pair_stores
from orchestration.lifecycle.ab_tests import standings
from orchestration.reports.report import plain
from orchestration.settings import Settings
from orchestration.views.tables import by_whom, narrow_table
from transforms.calendar import Region, Week
from transforms.contracts.ab_tests import METRICS, MODES
from transforms.contracts.gold import DEMAND, FORECASTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.contracts.silver import SILVER_STORES
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.lease import lease
from transforms.lake.tables import Lake, day
from transforms.landing import last_week
from transforms.records.ab_tests import AbTest, Metric, Mode, Pair, recorded, start, stop
from transforms.records.model_registry import POOLED, versions_named

_MATCHED_ON = 26
"""Weeks before a test whose deliveries stores are matched on."""
_FEWEST_PAIRS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for, as it was typed."""

    challenger: str
    mode: str
    first: str | None
    weeks: int
    share: float
    metric: str
    alpha: float
    seed: int


def start_test(settings: Settings, plan: Plan, actor: str, reason: str, console: Console) -> None:
    """Check what was asked for, draw the stores, and put the test on record."""
    lake = Lake(settings.root, settings.storage_options)
    _check(plan)
    version, first = _version(lake, plan.challenger), _first(lake, plan.first)
    region = Region(version["region"])
    test = AbTest(
        test_id=f"{region}-{version['format']}-{version['mover']}-{first}-{plan.mode}",
        region=str(region),
        from_week=first.monday,
        actor=actor,
        reason=reason,
        format=version["format"],
        mover=version["mover"],
        challenger=plan.challenger,
        mode=cast(Mode, plan.mode),
        weeks=plan.weeks,
        metric=cast(Metric, plan.metric),
        alpha=plan.alpha,
        seed=plan.seed,
        pairs=() if plan.mode == "shadow" else _pairs(lake, region, first, plan),
    )
    with lease(lake, "decisions", f"decision by {actor}", plain(console)):
        for other in recorded(lake, region):
            if other.test_id == test.test_id and other.stopped is not None:
                raise ConfigurationError(
                    f"{test.test_id} is on record already, stopped from origin {other.stopped} on: choose another --from or --mode."
                )
            if other.segment == test.segment and any(other.runs_at(first + step) for step in range(plan.weeks)):
                raise ConfigurationError(
                    f"{other.test_id} runs in {region}, {test.format}/{test.mover} then: one test at a time. Stop it, or start later."
                )
        start(lake, test, datetime.now(UTC))
    console.print(
        f"{test.test_id} starts with origin {first}: {plan.challenger} against what serves {test.format}/{test.mover}, {plan.mode}.", soft_wrap=True
    )
    _show_balance(lake, test, console)


def stop_test(settings: Settings, name: str, actor: str, reason: str, console: Console) -> None:
    """Put the end of a test on record."""
    lake = Lake(settings.root, settings.storage_options)
    with lease(lake, "decisions", f"decision by {actor}", plain(console)):
        test = _test(lake, name)
        if test.stopped is not None:
            raise ConfigurationError(f"{name} was stopped already, from origin {test.stopped} on.")
        origin = max(_after_last(lake), test.first)
        stop(lake, test, origin, actor, reason, datetime.now(UTC))
    console.print(f"{name} no longer runs from origin {origin} on; promotion is for the gate or 'shelfcast models approve'.", soft_wrap=True)


def show_tests(settings: Settings, console: Console) -> None:
    """List the tests, newest last."""
    lake = Lake(settings.root, settings.storage_options)
    table = narrow_table("A/B tests", {"test": 23, "weeks": 10, "standing": 18, "by whom and why": 16})
    for standing in standings(lake, recorded(lake)):
        test, row = standing.test, standing.rows[-1] if standing.rows else {}
        weeks = [f"{test.weeks} from", str(test.from_week), *((f"stopped {test.stopped}",) if test.stopped else ())]
        found = [
            str(row.get("verdict", "undecided")),
            f"{test.metric} {_number(row.get('difference'))}",
            _interval(row),
            f"{row.get('look', 0)} looks",
        ]
        names = f"{test.test_id}\nchallenger {test.challenger}"
        table.add_row(names, "\n".join(weeks), "\n".join(part for part in found if part), by_whom(test.actor, test.reason))
    console.print(table)


def show_test(settings: Settings, name: str, console: Console) -> None:
    """One test: balance of its stores, and every look."""
    lake = Lake(settings.root, settings.storage_options)
    test = _test(lake, name)
    _show_balance(lake, test, console)
    widths = {"week": 10, "look": 4, "units": 5, "champion": 8, "challenger": 10, "difference, interval": 18}
    table = narrow_table(f"{name} ({test.metric})", widths)
    [standing] = standings(lake, [test])
    for row in standing.rows:
        numbers = (_number(row[column]) for column in ("champion", "challenger"))
        found = "\n".join(part for part in (_number(row["difference"]), _interval(row), str(row["verdict"])) if part)
        table.add_row(str(row["week"]), str(row["look"]), str(row["units"]), *numbers, found)
    console.print(table)


def _check(plan: Plan) -> None:
    for name, value, allowed in (("--mode", plan.mode, MODES), ("--metric", plan.metric, METRICS)):
        if value not in allowed:
            raise ConfigurationError(f"{name} {value}: expected one of {', '.join(allowed)}.")
    if not 0 < plan.share <= 0.5:
        raise ConfigurationError(f"--share {plan.share:g}: expected more than 0 and at most 0.5, since one store of each pair gets the challenger.")
    if not 0 < plan.alpha < 1:
        raise ConfigurationError(f"--alpha {plan.alpha:g}: expected a chance between 0 and 1.")


def _version(lake: Lake, name: str) -> dict[str, Any]:
    found = versions_named(lake, [name]) if lake.exists(MODEL_VERSIONS.name) else []
    if not found:
        raise ConfigurationError(f"{name} is not on record: 'shelfcast models list' shows the versions there are.")
    if found[0]["kind"] != "ensemble" or found[0]["region"] == str(POOLED):
        raise ConfigurationError(f"{name} is a {found[0]['kind']} of {found[0]['region']}: expected an ensemble of one region.")
    return found[0]


def _after_last(lake: Lake) -> Week:
    """The first origin that nothing was forecast at yet."""
    landed = last_week(lake)
    if landed is None:
        raise MissingData("No deliveries have landed yet: run 'shelfcast init' first.")
    made = lake.read(FORECASTS.name, columns="max(origin_week) as week")["week"][0].as_py() if lake.exists(FORECASTS.name) else None
    return Week(made) + 1 if made is not None else landed


def _first(lake: Lake, asked: str | None) -> Week:
    earliest = _after_last(lake)
    first = Week.parse(asked) if asked else earliest
    if first < earliest:
        raise ConfigurationError(f"--from {first}: forecasts were made at that origin already. Expected {earliest} or later.")
    return first


def _pairs(lake: Lake, region: Region, first: Week, plan: Plan) -> tuple[Pair, ...]:
    stores = _volumes(lake, region, first)
    pairs = pair_stores(list(stores), [format_ for format_, _ in stores.values()], np.asarray([n for _, n in stores.values()]), plan.share, plan.seed)
    if len(pairs) < _FEWEST_PAIRS:
        raise ConfigurationError(
            f"{region} has {len(stores)} stores with deliveries in the {_MATCHED_ON} weeks before {first}: {len(pairs)} pairs at a share of "
            f"{plan.share:g}, expected {_FEWEST_PAIRS} or more. Choose a larger share, or the shadow."
        )
    return pairs


def _volumes(lake: Lake, region: Region, first: Week) -> dict[str, tuple[str, float]]:
    """Format and weekly units before the test, by store."""
    with lake.connect(DEMAND.name, SILVER_STORES.name) as connection:
        rows = connection.execute(
            f"""
            select d.store_id, s.format, sum(d.units_shipped) / {_MATCHED_ON} from gold_demand as d join silver_stores as s using (store_id)
            where d.region = '{region}' and d.week < {day(first)} and d.week >= {day(first + -_MATCHED_ON)} group by all order by 1
            """
        ).fetchall()
    return {store: (format_, float(units)) for store, format_, units in rows}


def _show_balance(lake: Lake, test: AbTest, console: Console) -> None:
    if not test.pairs:
        console.print("In the shadow: both forecast all stores of the segment, and the champion serves them.")
        return
    units = {store: n for store, (_, n) in _volumes(lake, Region(test.region), test.first).items()}
    table = Table("", "stores", "units a week before the test", title=f"{len(test.pairs)} pairs of stores, matched by format and deliveries")
    for name, side in (("first with the challenger", 0), ("first with the champion", 1)):
        here = [units.get(pair[side], 0.0) for pair in test.pairs]
        table.add_row(name, str(len(here)), f"{sum(here) / len(here):,.1f}")
    console.print(table)


def _test(lake: Lake, name: str) -> AbTest:
    found = {test.test_id: test for test in recorded(lake)}
    if name not in found:
        raise ConfigurationError(f"{name} is no A/B test on record: expected one of {', '.join(found) or 'none, there are none yet'}.")
    return found[name]


def _interval(row: dict[str, Any]) -> str:
    return "" if row.get("low") is None else f"{row['low']:+.4f} .. {row['high']:+.4f}"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"
