"""Lines over weeks, each with its name beside its end: what is looked at in colour, what it is compared with in grey."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.parts.charts import line_colour, quiet_colour, week_axis
from dashboard.parts.numbers import dated

_LINE = 15
"""Pixels of a name's line: names at the lines' ends keep so far apart."""
_ROOM = 0.3
"""Share of the weeks' length that is left free at the right for the names."""
_TICKS = 7
_MARGIN = pd.Timedelta(days=3)


def long_rows(rows: Sequence[Mapping[str, Any]], series: Mapping[str, str], written: Callable[[float | None], str]) -> pd.DataFrame:
    """Columns of rows by week as one row for each week and series, with the texts that hovering shows. `series`: column -> name."""
    found = [
        {"week": pd.Timestamp(row["week"]), "series": name, "value": float(row[column]), "text": written(row[column]), "of": dated(row["week"])}
        for column, name in series.items()
        for row in rows
        if row[column] is not None
    ]
    return pd.DataFrame(found, columns=["week", "series", "value", "text", "of"])


def comparison_lines(data: pd.DataFrame, unit: str, *, percent: bool = False, target: float | None = None, height: int = 240) -> Any:
    """The first series in colour, the second, which it is compared with, in grey; a thin line at the target.

    Parameters
    ----------
    data
        `long_rows`, of two series.
    unit
        What the y-axis counts.
    percent
        Write shares of 1 as per cent.
    """
    names = list(dict.fromkeys(data["series"]))
    colours = [line_colour(), *([quiet_colour()] * len(names))]
    low, top = 1.1 * min([*data["value"], 0]), 1.1 * max([*data["value"], target or 0])
    axis = alt.Axis(labelExpr="round(100 * datum.value) + ' %'", tickCount=5) if percent else alt.Axis(tickCount=5, format=",~f")
    placed: dict[str, Any] = {
        "x": alt.X("week:T", axis=_weeks(data["week"]), scale=alt.Scale(domain=_domain(data["week"]))),
        "y": alt.Y("value:Q", title=unit, axis=axis, scale=alt.Scale(domain=[low, top or 1.0])),
        "color": alt.Color("series:N", scale=alt.Scale(domain=[*names, "target"], range=colours), legend=None),
    }
    tips = [alt.Tooltip("of:N", title="Week"), alt.Tooltip("series:N", title="What"), alt.Tooltip("text:N", title=unit)]
    base = alt.Chart(data).encode(**placed)
    layers = [base.mark_line(strokeWidth=2), base.mark_circle(size=30, opacity=1).encode(tooltip=tips)]
    words = f"target {round(100 * target)} %" if percent and target is not None else f"target {target}"
    if target is not None:
        across = pd.DataFrame({"value": [target], "week": [data["week"].min() - _MARGIN], "last": [data["week"].max()]})
        layers.append(alt.Chart(across).mark_rule(strokeDash=[4, 3], color=quiet_colour()).encode(x="week:T", x2="last:T", y="value:Q"))
    ends = _names(data, target, words, (top - low) * _LINE / height)
    layers.append(alt.Chart(ends).mark_text(align="left", dx=8, fontWeight="bold", clip=False).encode(**placed, text="words:N"))
    # At once: each `+` would compare and copy all layers before it again.
    return alt.layer(*layers, height=height)


def _names(data: pd.DataFrame, target: float | None, words: str, apart: float) -> pd.DataFrame:
    """Where the names stand: beside the lines' ends, moved down where they would lie on one another."""
    last = data["week"].max()
    ends: pd.DataFrame = data[data["week"] == last].assign(words=lambda rows: rows["series"])[["week", "series", "value", "words"]]
    if target is not None:
        ends = pd.concat([ends, pd.DataFrame({"week": [last], "series": ["target"], "value": [target], "words": [words]})])
    ends = ends.sort_values("value", ascending=False).reset_index(drop=True)
    above = math.inf
    for place, value in enumerate(ends["value"]):
        above = min(value, above - apart)
        ends.loc[place, "value"] = above
    return ends


def _domain(weeks: "pd.Series[pd.Timestamp]") -> list[alt.DateTime]:
    first, last = weeks.min(), weeks.max()
    room = max((last - first) * _ROOM, pd.Timedelta(days=7))
    return [_day(first - _MARGIN), _day(last + room)]


def _weeks(weeks: "pd.Series[pd.Timestamp]") -> alt.Axis:
    """Labels at some of the weeks, counted back from the last one."""
    every = sorted(weeks.unique(), reverse=True)
    axis = week_axis()
    axis["values"] = [_day(pd.Timestamp(week)) for week in every[:: math.ceil(len(every) / _TICKS)]]
    return axis


def _day(moment: pd.Timestamp) -> alt.DateTime:
    return alt.DateTime(year=moment.year, month=moment.month, date=moment.day)
