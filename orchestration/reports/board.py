"""How each region stands now: its forecast and plan, what the checks say, drift, and what waits for a person. How it is shown is for `board_page`.

Each region is judged at its own newest origin, and at the newest week that has landed, so that one region that is behind hides nothing of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from orchestration.project import Project
from orchestration.reports.judgements import (
    WEEKS_BEFORE,
    Judgement,
    Judgements,
    forecasts_are_sane,
    layers_agree,
    no_drift,
    no_failover,
    no_stale_model,
    plan_is_sane,
    significant,
    within_target,
)
from transforms.calendar import Region, Slice, Week
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN
from transforms.contracts.life_cycle import MODEL_EVENTS
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.records.dataset_versions import latest_versions
from transforms.records.model_registry import POOLED, WAITING

_NO_DATE = date.min


@dataclass
class Standing:
    """A region now: the origin it was forecast at last, what each check says there, and what waits."""

    region: Region
    origin: Week | None = None
    checks: dict[str, tuple[Slice, Judgement]] = field(default_factory=dict)
    units: int | None = None
    lately: float | None = None
    drifted: int | None = None
    stale: float | None = None
    waits: list[str] = field(default_factory=list)

    @property
    def red(self) -> list[str]:
        """Names of the checks that failed."""
        return [name for name, (_, judgement) in self.checks.items() if not judgement.passed]


@dataclass(frozen=True)
class Board:
    """All regions, and the newest week that has landed."""

    landed: Week | None
    standings: Sequence[Standing]

    @property
    def behind(self) -> list[Standing]:
        """Regions that are not forecast at the newest week."""
        return [one for one in self.standings if one.origin is None or (self.landed is not None and one.origin < self.landed)]

    @property
    def summary(self) -> str:
        """The board in a sentence."""
        if self.landed is None:
            return "No deliveries have landed yet: drop files into landing, or begin with 'shelfcast demo'."
        told = [
            f"{len(self.standings) - len(self.behind)} of {len(self.standings)} regions are forecast",
            _counted(sum(bool(one.red) for one in self.standings), "region has red checks", "regions have red checks"),
            _counted(sum(bool(one.drifted) for one in self.standings), "drifted", "drifted"),
            _counted(sum(bool(one.waits) for one in self.standings), "waits for a person", "wait for a person"),
        ]
        return f"Week of {self.landed}: {', '.join(told)}."


def board_of(lake: Lake, project: Project) -> Board:
    """Look at all regions; tables are read once for all of them."""
    landed = last_week(lake)
    standings = {str(region): Standing(region) for region in regions(lake)}
    _look_at_origins(lake, project, standings)
    if landed is not None:
        newest = [Slice(one.region, landed) for one in standings.values()]
        _note(standings, "mape_within_target", within_target(lake, project, newest))
        _note(standings, "layers_agree", layers_agree(lake, newest))
    _look_at_drift(lake, standings)
    _look_at_waiting(lake, standings)
    return Board(landed, list(standings.values()))


def _look_at_origins(lake: Lake, project: Project, standings: Mapping[str, Standing]) -> None:
    with lake.connect(FORECASTS.name, ORDER_PLAN.name, DEMAND.name) as connection:
        rows = connection.execute(
            f"""
            with

            origins as (select region, max(origin_week) as origin_week from gold_forecasts group by region),

            made as (
                select region, origin_week, avg(is_stale::integer) as stale
                from gold_forecasts semi join origins using (region, origin_week) group by region, origin_week
            ),

            planned as (
                select region, origin_week, sum(order_quantity)::bigint as units
                from gold_order_plan semi join origins using (region, origin_week) where target_week = origin_week + 7 group by region, origin_week
            ),

            lately as (
                select d.region, sum(units_shipped) / {WEEKS_BEFORE} as units
                from gold_demand as d join origins as o on d.region = o.region
                    and d.week <= o.origin_week and d.week > o.origin_week - interval {WEEKS_BEFORE} weeks
                group by d.region
            )

            select region, origin_week, stale, planned.units, lately.units
            from made left join planned using (region, origin_week) left join lately using (region)
            """
        ).fetchall()
    for region, origin, stale, units, lately in rows:
        if region in standings:
            one = standings[region]
            one.origin, one.stale, one.units, one.lately = Week(origin), stale, units, lately
    slices = [Slice(one.region, one.origin) for one in standings.values() if one.origin is not None]
    if slices:
        _note(standings, "significant", significant(lake, slices))
        _note(standings, "no_stale_model", no_stale_model(lake, slices))
        _note(standings, "no_failover", no_failover(lake, slices))
        _note(standings, "forecasts_are_sane", forecasts_are_sane(lake, project, slices))
        _note(standings, "plan_is_sane", plan_is_sane(lake, project, slices))


def _look_at_drift(lake: Lake, standings: Mapping[str, Standing]) -> None:
    """Drift is looked at in the newest week that was watched, which is that of the last cycle."""
    with lake.connect(DRIFT.name) as connection:
        watched = connection.execute("select region, max(week), count(*) filter (where drifted) from gold_drift group by region, week").fetchall()
    newest: dict[str, tuple[date, int]] = {}
    for region, week, drifted in watched:
        if region in standings and week > newest.get(region, (_NO_DATE, 0))[0]:
            newest[region] = (week, drifted)
    for region, (_, drifted) in newest.items():
        standings[region].drifted = drifted
    if newest:
        _note(standings, "no_drift", no_drift(lake, [Slice(Region(region), Week(week)) for region, (week, _) in newest.items()]))


def _look_at_waiting(lake: Lake, standings: Mapping[str, Standing]) -> None:
    for dataset in latest_versions(lake):
        if dataset.status != "approved" and str(dataset.region) in standings:
            standings[str(dataset.region)].waits.append(f"data {dataset.version}: {dataset.status}")
    with lake.connect(MODEL_EVENTS.name) as connection:
        models = connection.execute(
            f"""
            select region, count(*) from (
                select region, arg_max(event, event_time) as event from gold_model_events group by region, model_version
            ) where event = '{WAITING}' group by region
            """
        ).fetchall()
    for region, count in models:
        if region in standings:
            standings[region].waits.append(f"{count} models: {WAITING}")
        elif region == str(POOLED):
            for one in standings.values():
                one.waits.append(f"{count} pooled models: {WAITING}")


def _note(standings: Mapping[str, Standing], name: str, judgements: Judgements) -> None:
    for item, judgement in judgements.items():
        standings[str(item.region)].checks[name] = (item, judgement)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
