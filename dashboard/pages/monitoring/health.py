"""How models and data stand, on Monitoring: what of it needs a look, the ladder, ageing models, A/B tests. Boards are drawn by `boards`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

import streamlit as st

from dashboard.parts import states
from dashboard.parts.numbers import Numbers, dated, day
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, address
from dashboard.parts.words import counted, listed, region_name, segment_name
from dashboard.queries import health as queries
from dashboard.queries.monitoring import newest_origin
from dashboard.queries.overview import target_error
from dashboard.queries.reader import Reader
from transforms.contracts.gold import STALE_DAYS
from transforms.contracts.rungs import CHALLENGER, CHAMPION, RUNGS, SERVED_BY
from transforms.rows import Row

TARGET = 0.45
"""Largest error of a significant model, where the project has said no other one yet."""
BOARD_WEEKS = 26
_RUNG_NAMES = {**RUNGS, CHALLENGER: "challenger of an A/B test"}


@dataclass(frozen=True)
class Standing:
    """How models and data do at the newest origin; shares are None where nothing was forecast."""

    target: float
    origin: date | None
    models: list[Row]
    errors: dict[tuple[str, str, str], float]
    served: list[Row]
    lower: float | None
    lower_before: float | None
    drift: list[Row]

    @property
    def stale(self) -> int:
        """Champions of an age from which their forecasts are marked."""
        return sum(map(queries.is_stale, self.models))

    @property
    def drifted(self) -> list[Row]:
        """Regions in which a column drifted in the newest week watched, the dearest first."""
        newest = max((row["week"] for row in self.drift), default=None)
        return sorted((row for row in self.drift if row["week"] == newest and row["drifted"]), key=lambda row: -row["money"])


def standing(reader: Reader) -> Standing:
    """Look at all of it."""
    origin = newest_origin(reader)
    rows = queries.served(reader, origin) if origin else []
    before = queries.origin_before(reader, origin) if origin else None
    return Standing(
        target_error(reader) or TARGET,
        origin,
        queries.champions(reader),
        queries.model_errors(reader),
        rows,
        queries.lower_share(rows),
        queries.lower_share(queries.served(reader, before)) if before else None,
        queries.drift(reader, BOARD_WEEKS),
    )


def causes(view: View, state: Standing) -> list[tuple[str, str, tuple[str, ...], tuple[str, str] | None]]:
    """What a person should look at: what, why, commands, and a page."""
    numbers, found = view.numbers, list[tuple[str, str, tuple[str, ...], tuple[str, str] | None]]()
    above = [model for model in state.models if model["mover"] != "all" and error_of(state, model) > state.target]
    if above:
        what = f"{counted(numbers, len(above), 'ensemble')} above {numbers.percent(state.target)} error in the last {queries.HEALTH_WEEKS} weeks"
        names = listed([f"{region_name(model['region'])} {segment_name(model['format'], model['mover'])}" for model in above], 3)
        found.append((what, names, ("shelfcast models rollback --previous --by NAME --why WHY",), ("see Training", address("training"))))
    if drifted := state.drifted:
        names = listed([f"{region_name(row['region'])} ({numbers.usd(row['money'])} in the week)" for row in drifted])
        link = (f"report of {region_name(drifted[0]['region'])}", report(drifted[0]))
        found.append((f"Data drifted in {counted(numbers, len(drifted), 'region')} in the week of {day(drifted[0]['week'])}", names, (), link))
    if state.stale and state.origin:
        what = f"{counted(numbers, state.stale, 'model')} trained more than {STALE_DAYS} days before {day(state.origin)}"
        found.append((what, "", (f"shelfcast run --week {state.origin} --retrain",), None))
    return found


def report(row: Row) -> str:
    """Address of Evidently's page of a region's week."""
    return f"/reports/drift/{quote(row['region'])}/{row['week']}.html"


def error_of(state: Standing, model: Row) -> float:
    """A model's error; not a number where it was not measured, which is neither within the target nor above it."""
    return state.errors.get((model["region"], model["format"], model["mover"]), float("nan"))


def show(view: View, state: Standing) -> None:
    """Draw who forecasts: steps of the ladder, ageing models, A/B tests."""
    _ladder(view, state)
    _ageing(view, state)
    _tests(view)


def show_rows(key: str, caption: str, columns: Sequence[Column], rows: Sequence[Line], nothing: str) -> None:
    """A table, or the sentence that says why there is none."""
    if rows:
        show_table(key, caption, columns, rows, empty=nothing)
    else:
        st.markdown(nothing)


def _ladder(view: View, state: Standing) -> None:
    st.subheader("Who made the forecasts", anchor=False)
    if state.origin is None:
        states.empty("Nothing has been forecast yet.", "The weekly cycle does: shelfcast run.")
        return
    numbers, total = view.numbers, sum(row["n"] for row in state.served)
    by_rung = {rung: sum(row["n"] for row in state.served if row["rung"] == rung) for rung in SERVED_BY}
    shares = [f"{_RUNG_NAMES[rung]} {numbers.percent(n / total, 1)} ({numbers.whole(n)})" for rung, n in by_rung.items() if n]
    st.markdown(f"Rows of {numbers.whole(total)} made from the week of {dated(state.origin)}: {'; '.join(shares)}.")
    lower = [row for row in state.served if row["rung"] != CHAMPION]
    columns = [
        Column("model", "Model", phone=True),
        Column("rung", "Made by", phone=True, help="Step of the failover ladder: champion, previous champion, pooled model, historical average."),
        Column("n", "Rows", number=True, phone=True),
        Column("share", "Share of its region", number=True),
        Column("reason", "Why"),
    ]
    regions = {region: sum(row["n"] for row in state.served if row["region"] == region) for region in {row["region"] for row in state.served}}
    rows = [_rung_line(numbers, row, regions[row["region"]]) for row in lower]
    show_rows("ladder", "Rows by another step of the ladder", columns, rows, "Every row was made by the champion of its segment.")


def _rung_line(numbers: Numbers, row: Row, total: int) -> Line:
    name = f"{region_name(row['region'])}: {segment_name(row['format'], row['mover'])}"
    cells = {
        "model": Cell(name),
        "rung": Cell(str(_RUNG_NAMES.get(row["rung"], row["rung"]))),
        "n": Cell(numbers.whole(row["n"]), row["n"]),
        "share": Cell(numbers.percent(row["n"] / total, 1), row["n"] / total),
        "reason": Cell(row["reason"] or "no reason on record"),
    }
    return Line(f"{row['region']}/{row['format']}/{row['mover']}/{row['rung']}", cells, address("training", region=row["region"]))


def _ageing(view: View, state: Standing) -> None:
    """The oldest models, and the runs that forecast with stale ones."""
    st.subheader("Stale models", anchor=False)
    if not state.models or state.origin is None:
        states.empty("No model serves yet.", "The weekly cycle trains and promotes them: shelfcast run.")
        return
    numbers = view.numbers
    oldest = max(state.models, key=lambda model: model["days"])
    name = f"{region_name(oldest['region'])} {segment_name(oldest['format'], oldest['mover'])}"
    st.markdown(
        f"**{numbers.whole(state.stale)} of {numbers.whole(len(state.models))}** were trained more than {STALE_DAYS} days before the newest origin; "
        f"the oldest, {name}, {counted(numbers, oldest['days'], 'day')} before."
    )
    columns = [
        Column("origin", "Forecast from", phone=True),
        Column("state", "State", phone=True),
        Column("rows", "Rows", number=True),
        Column("stale", "By stale models", number=True, phone=True),
        Column("regions", "Regions", number=True),
        Column("where", "Stale in"),
    ]
    rows = [_scoring_line(numbers, row) for row in queries.scoring_runs(view.reader, state.origin)]
    show_table("scoring_runs", "Scoring runs", columns, rows, empty="No run has forecast yet.")


def _scoring_line(numbers: Numbers, row: Row) -> Line:
    cells = {
        "origin": Cell(dated(row["origin_week"]), row["origin_week"].toordinal(), small=f"run {row['run_id'] or 'unknown'}"),
        "state": Cell("◆ with stale models" if row["stale"] else "● all models fresh"),
        "rows": Cell(numbers.whole(row["n"]), row["n"]),
        "stale": Cell(numbers.percent(row["stale"] / row["n"], 1), row["stale"] / row["n"]),
        "regions": Cell(numbers.whole(row["regions"]), row["regions"]),
        "where": Cell(listed([region_name(region) for region in row["stale_regions"]])),
    }
    href = f"/runs/{quote(row['run_id'])}" if row["run_id"] else ""
    return Line(f"{row['origin_week']}/{row['run_id']}", cells, href, "look" if row["stale"] else "")


def _tests(view: View) -> None:
    st.subheader("A/B tests running", anchor=False)
    columns = [
        Column("test", "Test", phone=True),
        Column("verdict", "Challenger is", phone=True),
        Column(
            "difference",
            "Difference",
            number=True,
            phone=True,
            help="Champion's less challenger's: above 0 the challenger is better.",
        ),
        Column("interval", "Interval", number=True, help="Holds at every look."),
        Column("look", "Weeks", number=True),
        Column("mode", "Kind"),
    ]
    rows = [_test_line(view.numbers, row) for row in queries.running_tests(view.reader)]
    show_rows("ab_tests", "A/B tests", columns, rows, "No A/B test is running. An operator starts one: shelfcast ab start.")


def _test_line(numbers: Numbers, row: Row) -> Line:
    segment = f"{region_name(row['region'])}: {segment_name(row['format'], row['mover'])}"
    cells = {
        "test": Cell(segment, small=row["test_id"]),
        "verdict": Cell(row["verdict"] or "not looked at yet", tone="" if row["verdict"] else "quiet"),
        "difference": Cell(numbers.signed(row["difference"]), row["difference"], small="USD" if row["metric"] == "cost" else "share of actual"),
        "interval": Cell(f"{numbers.signed(row['low'])} to {numbers.signed(row['high'])}", row["low"]),
        "look": Cell(f"{row['look'] or 0} of {row['weeks']}", row["look"] or 0),
        "mode": Cell(row["mode"]),
    }
    return Line(row["test_id"], cells, address("training", region=row["region"]), "look" if row["verdict"] == "worse" else "")
