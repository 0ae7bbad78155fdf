"""The page from its answer to its charts: how many models are significant, and how each segment does. What is on record comes from `records`."""

import html
from datetime import date
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.pages.training.records import show_experiments, show_records, to_version
from dashboard.pages.training.version import show_version
from dashboard.parts import states
from dashboard.parts.charts import line_colour, quiet_colour, show_chart
from dashboard.parts.lines import comparison_lines, long_rows
from dashboard.parts.numbers import dated, day
from dashboard.parts.selection import pick
from dashboard.parts.theme import DIVERGING, ORANGE, SKY
from dashboard.parts.view import View, current
from dashboard.parts.words import region_name, segment_name
from dashboard.queries import overview
from dashboard.queries import training as queries
from dashboard.queries.training import METRICS, Metric
from transforms.rows import Row

_ALL = "all"
_ROW = 34
_SIGNIFICANT = "Significant: MAPE on the held-back weeks within the project's target, and by the project's margin below the historical average's."


def show() -> None:
    """Draw the page."""
    view = current()
    # The answer comes first on the page, and after the choice that it is about.
    top = st.container()
    names = overview.regions(view.reader)
    with st.columns([1, 2])[0]:
        chosen = pick("Region", "region", [_ALL, *names], default=_ALL, words=region_name)
    region = None if chosen == _ALL else chosen
    with top:
        origin = _lead(view, region)
    if version := st.query_params.get("version"):
        show_version(view, version, region)
    if origin is None:
        states.empty("No model has been trained yet.", "An operator starts it: shelfcast run, or the weekly job in Dagster.")
        return
    _segments(view, region)
    _trends(view, region)
    show_records(view, region)
    show_experiments(view)


def _lead(view: View, region: str | None) -> date | None:
    found = queries.verdict(view.reader, region)
    if found is None:
        states.lead("No model has been judged yet.")
        return None
    where = f"{region_name(region)}: " if region else ""
    whole = view.numbers.whole
    challengers = f"{whole(found.refused)} challenger{'' if found.refused == 1 else 's'} refused, {whole(found.promoted)} promoted"
    challengers += f"; {whole(found.rolled_back)} rolled back" if found.rolled_back else ""
    waiting = [row["model_version"] for row in overview.models_waiting(view.reader) if region in {None, row["region"]}]
    wait = f" {_to_first(waiting, whole(len(waiting)))}" if waiting else ""
    states.lead(f"{where}<b>{whole(found.significant)} of {whole(found.models)}</b> significant; {challengers}.{wait}")
    st.caption(f"Models that serve from the origin of {dated(found.origin)} on, and what was trained there.", help=_SIGNIFICANT)
    return found.origin


def _to_first(waiting: list[str], count: str) -> str:
    link = html.escape(to_version(waiting[0]), quote=True)
    return f"<a href='{link}' target='_self'><b>{count}</b> wait{'s' if len(waiting) == 1 else ''} for approval</a>."


def _segments(view: View, region: str | None) -> None:
    """MAPE of each segment against the average: a heat map of all regions, bars of one."""
    st.header("MAPE by segment", anchor=False)
    span, target = overview.settled(view.reader), overview.target_error(view.reader)
    rows = queries.segments(view.reader, span, region) if span else []
    data = pd.DataFrame([_segment(view, row, target) for row in rows if row["mape"] is not None])
    if span is None or data.empty:
        states.empty("No forecast has met its week yet.", "A week after the first forecasts their error is known.")
        return
    weeks = f"Weeks of {day(span.first)} to {day(span.last)}" if span.weeks > 1 else f"Week of {day(span.last)}"
    colours = "" if region else "Blue: below the historical average's error, which stands beneath; orange: above it. "
    st.caption(f"{weeks}, forecast one week ahead. {colours}▲ above the target{f' of {view.numbers.percent(target)}' if target else ''}.")
    described = "MAPE of each segment beside the historical average's"
    shown = {"region": "Region", "segment": "Segment", "text": "MAPE", "average": "Historical average", "rows": "Rows"}
    show_chart(_bars(data, target) if region else _heat_map(data), described, data, "mape_by_segment", shown)


def _segment(view: View, row: Row, target: float | None) -> Row:
    mape, average = row["mape"], row["baseline_mape"]
    above = " ▲" if target is not None and mape > target else ""
    return {
        "region": region_name(row["region"]),
        "segment": segment_name(row["format"], row["mover"]),
        "mape": mape,
        "baseline": average,
        "ratio": mape / average if average else None,
        "text": f"{view.numbers.percent(mape)}{above}",
        "average": view.numbers.percent(average),
        "rows": view.numbers.whole(row["n"]),
    }


_TIPS = [
    alt.Tooltip("region:N", title="Region"),
    alt.Tooltip("segment:N", title="Segment"),
    alt.Tooltip("text:N", title="MAPE"),
    alt.Tooltip("average:N", title="Historical average"),
    alt.Tooltip("rows:N", title="Rows"),
]


def _heat_map(data: pd.DataFrame) -> Any:
    heads = alt.Axis(orient="top", labelAngle=0, labelExpr="split(datum.value, ', ')", labelOverlap=False, domain=False, ticks=False)
    base = alt.Chart(data).encode(
        x=alt.X("segment:N", title=None, sort=None, axis=heads),
        y=alt.Y("region:N", title=None, sort=None, axis=alt.Axis(labelLimit=130, labelOverlap=False, domain=False, ticks=False)),
    )
    # As good as the average is the neutral middle; a quarter of its error is as blue as it gets.
    colour = alt.Color("ratio:Q", scale=alt.Scale(domain=[0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75], range=list(DIVERGING), clamp=True), legend=None)
    ink = alt.condition("datum.ratio < 0.39 || datum.ratio > 1.65", alt.value("#FFFFFF"), alt.value("#000000"))
    cells = base.mark_rect(stroke=quiet_colour(), strokeWidth=0.3).encode(color=colour, tooltip=_TIPS)
    own = base.mark_text(fontWeight="bold", dy=-6).encode(text="text:N", color=ink)
    average = base.transform_calculate(words="'avg ' + datum.average").mark_text(fontSize=10, dy=8).encode(text="words:N", color=ink)
    return (cells + own + average).properties(height=_ROW * data["region"].nunique() + 56)


def _bars(data: pd.DataFrame, target: float | None) -> Any:
    base = alt.Chart(data).encode(y=alt.Y("segment:N", title=None, sort=None, axis=alt.Axis(labelLimit=160, domain=False, ticks=False)))
    top = 1.35 * max(*data["mape"], *data["baseline"].fillna(0), target or 0)
    axis = alt.X("mape:Q", title="MAPE", scale=alt.Scale(domain=[0, top]), axis=alt.Axis(labelExpr="round(100 * datum.value) + ' %'", tickCount=5))
    bars = base.mark_bar(color=line_colour(), height=18).encode(x=axis, tooltip=_TIPS)
    text = base.mark_text(align="left", dx=4, fontWeight="bold", color=line_colour()).encode(x="mape:Q", text="text:N")
    average = base.mark_tick(color=ORANGE, thickness=3, size=26).encode(x="baseline:Q", tooltip=_TIPS)
    compared = base.transform_calculate(words="'average ' + datum.average")
    named = compared.mark_text(align="left", dx=6, color=quiet_colour()).encode(x="baseline:Q", text="words:N")
    return (bars + text + average + named).properties(height=2 * _ROW * len(data))


def _trends(view: View, region: str | None) -> None:
    """The chosen metric of each segment by week, beside the baseline's."""
    st.header("Week by week", anchor=False)
    titles = {metric.title: metric for metric in METRICS.values()}
    title = st.segmented_control("Metric", list(titles), default="MAPE", required=True, key="metric", bind="query-params")
    metric = titles[title or "MAPE"]
    st.caption(metric.meaning + (" Thin lines: each region by itself." if region is None and metric.weight else ""))
    if region is None and metric.weight is None:
        states.empty("It is a ratio of sums that are not on record across regions.", "Choose one region above.")
        return
    rows = queries.trend(view.reader, metric, region)
    each = queries.trend(view.reader, metric, None, by_region=True) if region is None else []
    found = list(dict.fromkeys((row["format"], row["mover"]) for row in rows))
    target = overview.target_error(view.reader) if metric.name == "mape" else None
    for pair in (found[place : place + 2] for place in range(0, len(found), 2)):
        for column, segment in zip(st.columns(2, gap="medium"), pair, strict=False):
            with column:
                _trend(view, metric, segment, [_of(rows, segment), _of(each, segment)], target)


def _of(rows: list[Row], segment: tuple[str, str]) -> list[Row]:
    return [row for row in rows if (row["format"], row["mover"]) == segment]


def _trend(view: View, metric: Metric, segment: tuple[str, str], rows: list[list[Row]], target: float | None) -> None:
    summed, each = rows
    share = not metric.unit
    name = segment_name(*segment)
    st.markdown(f"**{name.capitalize()}**")
    data = long_rows(summed, {"model": "model", "baseline": "average"}, view.numbers.percent if share else view.numbers.three)
    if data.empty:
        states.empty("Not measured.", "No week of this segment has turned out yet.")
        return
    chart = comparison_lines(data, metric.title if share else f"{metric.title}, {metric.unit}", percent=share, target=target, height=200)
    if each:
        thin = pd.DataFrame({"week": [pd.Timestamp(row["week"]) for row in each], "region": [row["region"] for row in each],
                             "value": [row["model"] for row in each]})  # fmt: skip
        chart = (
            alt.Chart(thin).mark_line(color=SKY, opacity=0.35, strokeWidth=1, clip=True).encode(x="week:T", y="value:Q", detail="region:N") + chart
        )
    described = f"{metric.title} of the segment {name} by week, beside that of the historical average"
    show_chart(chart, described, data, f"{metric.name}_{'_'.join(segment)}", {"of": "Week", "series": "What", "text": metric.title})
