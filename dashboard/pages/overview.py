"""Overview: is this week all right, and what is it worth? For stakeholders; how models came to be so stands on Training."""

import html
from dataclasses import dataclass
from datetime import UTC, date, datetime

import streamlit as st

from dashboard.pages.maturity import show_maturity
from dashboard.parts import states
from dashboard.parts.charts import show_chart
from dashboard.parts.lines import comparison_lines, long_rows
from dashboard.parts.numbers import Numbers, dated, day
from dashboard.parts.tiles import Tile, Tone, show_tiles
from dashboard.parts.view import View, address, current
from dashboard.parts.words import counted, region_name, regions_named
from dashboard.queries import overview as queries
from dashboard.queries.overview import Span
from dashboard.queries.reader import Reader
from transforms.monitoring.savings import Amount, Savings
from transforms.rows import Row

_RIVAL = "historical_average"
_MUCH = 0.05
"""Share of a region's forecasts that are not made by its own best model, from which on its tile says so: single new products always are."""
_CSS = "@media (max-width: 640px) { .st-key-overview_top > :has(.st-key-overview_needs) { order: -1; } }"
"""A phone shows exceptions before all regions."""
_ERROR = (
    "Mean absolute percentage error over products and weeks with demand: by how much of what was sold the forecast was off, on average. "
    "Of forecasts made one week before."
)
_SAVED = (
    "Cost of units left over and margin of demand not met, had every store been shipped each product's historical average in whole cases, less that "
    "of the plan. In 80 of 100 samples of stores the amount lies in the range."
)


@dataclass(frozen=True)
class _Week:
    """What is known about the week."""

    week: date
    regions: list[str]
    plans: dict[str, Row]
    span: Span | None
    errors: dict[str, Row]
    money: dict[str, Savings]
    target: float | None
    lower: dict[str, float]


def show() -> None:
    """Draw the page."""
    view = current()
    found = _found(view.reader)
    if found is None:
        states.lead("There is no plan yet.")
        states.empty("No region has been forecast and planned.", "An operator starts it: shelfcast run, or the weekly job in Dagster.")
        return
    _lead(view.numbers, found)
    states.freshness(queries.newest_deliveries(view.reader), datetime.now(UTC).date())
    st.html(f"<style>{_CSS}</style>")
    with st.container(key="overview_top"):
        with st.container():
            st.header("Regions", anchor=False)
            tiles = [_tile(view.numbers, found, region) for region in found.regions]
            show_tiles(sorted(tiles, key=lambda tile: ("act", "look", "quiet", "good").index(tile.tone)), "Regions")
        with st.container(key="overview_needs"):
            _needs(view, found)
    _error_trend(view, found.target)
    _units(view, found)
    _data(view, found)
    show_maturity(view)
    st.markdown(f"These numbers in DuckDB, pandas, Polars, Spark, Power BI or Excel: [Data for other tools]({address('bi')}).")


def _found(reader: Reader) -> _Week | None:
    week, span = queries.this_week(reader), queries.settled(reader)
    if week is None:
        return None
    return _Week(
        week,
        queries.regions(reader),
        queries.plans(reader, week),
        span,
        queries.errors(reader, span) if span else {},
        _money(reader, reader.lake.root, reader.version("gold/plan_value"), span) if span else {},
        queries.target_error(reader),
        queries.lower_rungs(reader, week),
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _money(_reader: Reader, root: str, version: int | None, span: Span) -> dict[str, Savings]:  # noqa: ARG001 - what the answer depends on
    """Resampling takes a while: once for each version of the table."""
    return queries.money(_reader, span)


def _lead(numbers: Numbers, found: _Week) -> None:
    planned, total = len(found.plans), len(found.regions)
    parts = [f"Week of {day(found.week)}: plan ready for <b>{planned} of {total}</b> regions."]
    if error := found.errors.get("all"):
        against = f"target {numbers.percent(found.target)}" if found.target else f"historical average {numbers.percent(error['baseline_mape'])}"
        parts.append(f"<abbr title='{_ERROR}'>Error</abbr> <b>{numbers.percent(error['mape'])}</b>, {against}.")
    else:
        parts.append("No forecast has met its week yet: the error is not measured.")
    if saved := found.money.get("all"):
        amount = saved.saved_usd[_RIVAL]
        verb = "saved against" if amount.value >= 0 else "lost against"
        usd = f"<b>{numbers.usd(abs(amount.value))}</b> <abbr title='{_SAVED}'>{verb} shipping the average</abbr>"
        parts.append(f"{usd} (80 %: {_range(numbers, amount)}).")
    states.lead(" ".join(parts))
    if found.span:
        weeks = "the week of" if found.span.weeks == 1 else f"the {found.span.weeks} weeks from {day(found.span.first)} to"
        st.caption(
            f"Error and money: {weeks} {day(found.span.last)}, the newest with sales known; plans made one week before.",
            help=f"**Error.** {_ERROR}\n\n**Saved.** {_SAVED}",
        )


def _range(numbers: Numbers, amount: Amount) -> str:
    """The interval, turned round where money was lost."""
    low, high = (amount.low, amount.high) if amount.value >= 0 else (-amount.high, -amount.low)
    return html.escape(numbers.between(low, high))


def _tile(numbers: Numbers, found: _Week, region: str) -> Tile:
    error, saved = found.errors.get(region), found.money.get(region)
    state, tone = _state(numbers, found, region)
    line = "money not measured"
    if saved:
        amount = saved.saved_usd[_RIVAL]
        line = f"{numbers.usd(abs(amount.value))} {'saved' if amount.value >= 0 else 'lost'} ({_range(numbers, amount)})"
    compared = "not measured yet"
    if error:
        target = f"target {numbers.percent(found.target)}, " if found.target else ""
        compared = f"{target}average {numbers.percent(error['baseline_mape'])}"
    figure = numbers.percent(error["mape"]) if error else "-"
    return Tile(region_name(region), figure, "error", (compared, line), state, tone, address("training", region=region))


def _state(numbers: Numbers, found: _Week, region: str) -> tuple[str, Tone]:
    error, saved, lower = found.errors.get(region), found.money.get(region), found.lower.get(region, 0.0)
    if region not in found.plans:
        return "no plan for this week", "act"
    if error and found.target and error["mape"] is not None and error["mape"] > found.target:
        return "error above the target", "look"
    if saved and saved.saved_usd[_RIVAL].high < 0:
        return "costs more than the average", "look"
    if lower > _MUCH:
        return f"{numbers.percent(lower)} forecast by a stand-in", "look"
    return ("planned, on target", "good") if error else ("planned, not measured", "quiet")


def _needs(view: View, found: _Week) -> None:
    """What waits for a person, each with the page on which it ends."""
    st.header("What needs a person", anchor=False)
    models, data = queries.models_waiting(view.reader), queries.data_waiting(view.reader)
    unplanned = [region for region in found.regions if region not in found.plans]
    stand_in = [region for region, share in sorted(found.lower.items()) if share > _MUCH]
    wait = "waits" if len(models) == 1 else "wait"
    lines = [
        _need(len(unplanned), f"▲ {counted(view.numbers, len(unplanned), 'region')} without a plan: {regions_named(unplanned)}", "monitoring"),
        _need(len(data), f"◆ New data of {counted(view.numbers, len(data), 'region')} wait for approval: {regions_named(data)}", "monitoring"),
        _need(
            len(models),
            f"◆ {counted(view.numbers, len(models), 'model')} {wait} for approval: {regions_named(sorted({row['region'] for row in models}))}",
            "training",
        ),
        _need(len(stand_in), f"◆ Forecast by a stand-in for the model of their own: {regions_named(stand_in)}", "training"),
    ]
    found_lines = "".join(lines)
    st.html(f"<ul>{found_lines}</ul>" if found_lines else "<p>Nothing: no model or data wait for approval, and every region has its plan.</p>")


def _need(count: int, words: str, page: str) -> str:
    return f"<li>{html.escape(words)}. <a href='{address(page)}' target='_self'>{page.title()}</a></li>" if count else ""


def _error_trend(view: View, target: float | None) -> None:
    st.header("Error, week by week", anchor=False)
    data = long_rows(queries.error_trend(view.reader), {"mape": "error", "baseline_mape": "average"}, view.numbers.percent)
    if data.empty:
        states.empty("No week has turned out yet.", "The error is known a week after the first plan was made.")
        return
    described = "Error of all regions by week, beside that of shipping the historical average and the target"
    shown = {"of": "Week", "series": "What", "text": "Error"}
    show_chart(comparison_lines(data, "error", percent=True, target=target), described, data, "error_by_week", shown)


def _units(view: View, found: _Week) -> None:
    """Lost sales and what comes back: what was, beside the average's, and what is expected."""
    st.header("Lost sales and returns", anchor=False)
    trend = queries.units_trend(view.reader)
    for place, (name, title) in zip(st.columns(2, gap="medium"), (("lost", "Lost sales"), ("left", "Returns")), strict=True):
        with place:
            expected = sum(plan[name] for plan in found.plans.values())
            words = f"**{title}: {view.numbers.three(expected)} units expected** in the week of {day(found.week)}."
            weeks = min(len(trend), queries.SETTLED_WEEKS)
            if was := queries.mean_of(trend, name, weeks):
                average = queries.mean_of(trend, f"{name}_average", weeks)
                past = f"The week of {day(trend[-1]['week'])}" if weeks == 1 else f"A week in the last {weeks}"
                words += f" {past}: {view.numbers.three(was)}; {view.numbers.three(average)} had the average been shipped."
            st.markdown(words)
            data = long_rows(trend, {name: "plan", f"{name}_average": "average"}, view.numbers.whole)
            if not data.empty:
                described = f"{title} in units by week, of the plan and of shipping the historical average"
                show_chart(comparison_lines(data, "units"), described, data, f"{name}_by_week", {"of": "Week", "series": "What", "text": "Units"})


def _data(view: View, found: _Week) -> None:
    st.header("Data", anchor=False)
    newest = queries.newest_deliveries(view.reader)
    deliveries = f"Deliveries are on record up to the week of {dated(newest)}" if newest else "No version of the data is on record"
    st.markdown(f"{deliveries}; the plan is for the week of {dated(found.week)}.")
