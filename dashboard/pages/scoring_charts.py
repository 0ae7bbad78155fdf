"""Charts of Scoring: the fan of one series over what was sold, and the waterfall of what adds up to one forecast."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import altair as alt
import pandas as pd

from dashboard.parts.charts import quiet_colour, week_axis
from dashboard.parts.numbers import MISSING, Numbers, dated
from dashboard.parts.theme import BLUE, ORANGE
from dashboard.queries.scoring import GROUPS
from transforms.calendar import Week
from transforms.rows import Row

FAN_COLUMNS = {
    "of": "Week", "shipped": "Shipped", "returned": "Returned", "sold": "Sold", "expected": "Forecast", "q10": "80 % from", "q90": "80 % to",
    "lead": "Weeks ahead", "made": "Made at", "note": "Note",
}  # fmt: skip
"""Columns of `fan_rows` that a reader sees, with their headings."""
_GROUP_WORDS = {
    "level": "Recent sales, product, store",
    "season": "Time of the year",
    "weather": "Weather forecast",
    "price_and_events": "Price, promotions, holidays",
    "demographics": "Who lives around",
    "returns": "Returns counted off",
}
_Align = Literal["left", "right"]
_FEW, _LOW = 9, 0.15
_STEP = 28
_HEIGHT, _HALF_BAR = 320, timedelta(days=2, hours=6)


def fan_rows(numbers: Numbers, sold: Sequence[Row], chosen: Sequence[Row], known_until: Week) -> pd.DataFrame:
    """One row a week: what was sold, and the forecast that is shown of it.

    Parameters
    ----------
    chosen
        One forecast a target week: of the weeks that are known the one of the lead that is looked at, of later ones the newest.
    """
    came = {row["week"]: row for row in sold}
    made = {row["target_week"]: row for row in chosen}
    rows = []
    for week in sorted({*came, *made}):
        actual, forecast, start = came.get(week, {}), made.get(week, {}), pd.Timestamp(week)
        rows.append(
            {
                "week": start,
                "bar_from": start - _HALF_BAR,
                "bar_to": start + _HALF_BAR,
                "of": dated(week),
                "sold": actual.get("demand"),
                "shipped": actual.get("shipped"),
                "returned": actual.get("returned"),
                **{name: forecast.get(name) for name in ("expected", "q10", "q90")},
                "lead": forecast.get("horizon"),
                "made": dated(forecast["origin_week"]) if forecast else "",
                "note": "stale model" if forecast.get("is_stale") else "",
                "ahead": week > known_until.monday,
                "band": f"{numbers.units(forecast['q10'])} to {numbers.units(forecast['q90'])}" if forecast else MISSING,
                "sold_text": f"{numbers.units(actual['demand'])} of {numbers.units(actual['shipped'])}" if actual else MISSING,
                "text": numbers.units(forecast.get("expected")),
            }
        )
    return pd.DataFrame(rows)


def fan_chart(data: pd.DataFrame, known_until: Week, lead_words: str) -> Any:
    """What was sold as bars, forecasts as a line in their band of 80 %; beyond what is known the band is darker."""
    x = alt.X("week:T", axis=week_axis(), scale=alt.Scale(padding=14))
    y = alt.Y("expected:Q", title="units a week", axis=alt.Axis(tickCount=5, format=",~r"), scale=alt.Scale(zero=True, nice=True))
    tips = [alt.Tooltip(f"{name}:N", title=title) for name, title in _TIPS.items()]
    base, both = alt.Chart(data).encode(x=x), data.dropna(subset=["expected"])
    bars = base.transform_filter("isValid(datum.sold)").mark_bar(color=quiet_colour(), opacity=0.45)
    chart = bars.encode(x=alt.X("bar_from:T", axis=week_axis()), x2="bar_to:T", y=alt.Y("sold:Q"), y2=alt.datum(0), tooltip=tips)
    for ahead, opacity in ((False, 0.16), (True, 0.34)):
        rows = both[both["ahead"] == ahead]
        part = alt.Chart(rows).encode(x=x)
        chart += part.mark_area(color=BLUE, opacity=opacity).encode(y="q10:Q", y2="q90:Q")
        if len(rows) == 1:
            chart += part.mark_rule(color=BLUE, opacity=opacity).encode(y="q10:Q", y2="q90:Q")
        chart += part.mark_line(color=BLUE, strokeWidth=2).encode(y=y)
    chart += alt.Chart(both).mark_circle(color=BLUE, size=42, opacity=1).encode(x=x, y=y, tooltip=tips)
    if len(stale := both[both["note"] != ""]):
        chart += alt.Chart(stale).mark_point(shape="triangle-up", filled=True, color=ORANGE, size=110, opacity=1).encode(x=x, y=y, tooltip=tips)
        chart += alt.Chart(stale.head(1)).mark_text(text="▲ stale model", align="left", color=quiet_colour()).encode(x=x, y=alt.value(4))
    return (chart + _labels(data, x, lead_words) + _until(known_until)).properties(height=_HEIGHT)


_TIPS = {"of": "Week", "sold_text": "Sold, of units shipped", "text": "Forecast", "band": "80 % band", "made": "Made with data up to", "note": "Note"}


def _labels(data: pd.DataFrame, x: alt.X, lead_words: str) -> Any:
    """The name of each series at it: what was sold below its first bar's top, forecasts above their bands."""
    past, ahead = (data[(data["ahead"] == of) & data["expected"].notna()] for of in (False, True))
    found: list[tuple[pd.DataFrame, str, list[str], _Align, str, int]] = []
    if len(sold := data[data["sold"].notna()]):
        found.append((sold.head(1), "sold", ["sold"], "left", quiet_colour(), -7))
    # Few past forecasts stand beside those of the weeks to come, whose name stands below.
    if len(past) > _FEW:
        found.append((past.head(1), "q90", [lead_words], "left", BLUE, -8))
    elif len(past):
        found.append((past.tail(1), "q90", [lead_words], "right", BLUE, -8))
    if len(ahead):
        # A band that reaches down to nothing has the axis below it: the name stands beneath that.
        low = ahead["q10"].iloc[-1] < _LOW * data[["q90", "sold"]].max().max()
        found.append((ahead.tail(1), "q10", ["forecast, 80 % band"] if low else ["forecast,", "80 % band"], "right", BLUE, 34 if low else 12))
    layers = [
        alt.Chart(row).mark_text(text=text, align=align, dy=away, color=colour, fontWeight="bold").encode(x=x, y=alt.Y(f"{column}:Q"))
        for row, column, text, align, colour, away in found
    ]
    return alt.layer(*layers) if layers else alt.LayerChart()


def _until(week: Week) -> Any:
    """A thin line after the last week that is known."""
    data = pd.DataFrame({"at": [pd.Timestamp(week.monday) + timedelta(days=3, hours=12)]})
    return alt.Chart(data).mark_rule(color=quiet_colour(), strokeDash=[3, 3]).encode(x="at:T")


def waterfall_rows(numbers: Numbers, parts: Row) -> pd.DataFrame:
    """From what is expected of a series that nothing is known about, step by step to the forecast."""
    rows = [("Nothing known of the series", 0.0, parts["reference"], numbers.units(parts["reference"]), "total")]
    at = parts["reference"]
    for group in GROUPS:
        step = parts[group]
        kind = "adds" if step > 0 else "takes off"
        rows.append((_GROUP_WORDS.get(group, group.replace("_", " ")), at, at + step, numbers.signed_units(step), kind))
        at += step
    rows.append(("Forecast", 0.0, parts["expected"], numbers.units(parts["expected"]), "total"))
    found = pd.DataFrame(rows, columns=["what", "from", "to", "text", "kind"])
    found["change"] = found["to"] - found["from"]
    found["right"] = found[["from", "to"]].max(axis=1)
    return found


def waterfall_chart(data: pd.DataFrame) -> Any:
    """Horizontal bars, each beginning where the one above ends; blue adds, orange takes off."""
    order = list(data["what"])
    colours = alt.Color("kind:N", scale=alt.Scale(domain=["total", "adds", "takes off"], range=[quiet_colour(), BLUE, ORANGE]), legend=None)
    y = alt.Y("what:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, labelOverlap=False, domain=False, ticks=False))
    base = alt.Chart(data).encode(y=y)
    tips = [alt.Tooltip("what:N", title="What"), alt.Tooltip("text:N", title="Units")]
    room = alt.Scale(zero=True, nice=False, padding=34)
    bars = base.mark_bar(height=14).encode(
        x=alt.X("from:Q", title="units", scale=room, axis=alt.Axis(tickCount=4)), x2="to:Q", color=colours, tooltip=tips
    )
    return (bars + base.mark_text(align="left", dx=4, color=quiet_colour()).encode(x=alt.X("right:Q"), text="text:N")).properties(
        height=_STEP * len(data) + 50
    )
