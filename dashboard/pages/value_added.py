"""Value added: did edits of the plan help? For planners and those who lead them; the edits themselves stand on Orders."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from dashboard.parts.numbers import MISSING, day
from dashboard.parts.selection import pick
from dashboard.parts.states import empty, lead
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, current
from dashboard.parts.words import region_name
from dashboard.queries.orders.plans import planned_regions
from dashboard.queries.value_added import BY, value_of
from transforms.orders.value_added import FEWEST_WEEKS, Summary

_COLUMNS = (
    Column("name", "Edits by", phone=True),
    Column("verdict", "What came of them", "Whether the bounds on the right leave out 0: they hold for all lines at once, with 95 %", phone=True),
    Column(
        "usd",
        "USD a week",
        "Cost of the plan less that of the edit, on average over weeks with edits: above 0 where it was better",
        number=True,
        phone=True,
    ),
    Column("units", "Units a week", "Units left over and missed by the plan, less those by the edit", number=True),
    Column("edits", "Edits", number=True),
    Column("weeks", "Weeks", "Weeks with edits: each is one observation", number=True),
    Column(
        "sold_out",
        "Of them sold out",
        "Less than planned was loaded and all sold: what more would have sold is the forecast's expectation",
        number=True,
    ),
)
_WORDS = {
    "helped": "▲ helped",
    "cost": "▼ the plan alone would have been nearer: a talk about when to edit may pay",
    "open": "● cannot be told yet",
}


def show() -> None:
    """Draw the page."""
    view = current()
    answer = st.container()
    left, right = st.columns(2)
    with left:
        by = pick("Edits by", "by", list(BY), default="person", words=str.capitalize)
    with right:
        regions = ["", *planned_regions(view.reader)]
        region = pick("Region", "region", regions, default="", words=lambda name: region_name(name or "all"))
    found, first, last = value_of(view.reader, by, region or None)
    if first is None or last is None:
        with answer:
            lead("Edits valued: <b>0</b>. What they were worth is told once the demand of their weeks has come.")
        empty("No edit has met its week yet.", "Edits are made on Orders, before their week begins; the weekly run values them.")
        return
    with answer:
        lead(_answer(found, by))
        st.caption(
            f"Weeks of {day(first)} to {day(last)}. An edit counts as it stood when its week began, beside the plan that it changed. Of fewer than "
            f"{FEWEST_WEEKS} weeks nothing is told."
        )
    lines = [_line(view, one, by) for one in found]
    show_table("value", f"Value added by {by}", _COLUMNS, lines, empty="")


def _answer(rows: Sequence[Summary], by: str) -> str:
    helped, cost = ([one for one in rows if one.verdict == verdict] for verdict in ("helped", "cost"))
    noun = {"person": "planner", "reason": "reason", "region": "region"}[by] + ("" if len(rows) == 1 else "s")
    undecided = len(rows) - len(helped) - len(cost)
    better = f"<b>{len(helped)} of {len(rows)}</b> {noun} made the plan better by editing"
    return f"{better}, {len(cost)} made it worse; of {undecided} it cannot be told yet."


def _line(view: View, one: Summary, by: str) -> Line:
    number = view.numbers
    name = region_name(one.name) if by == "region" else one.name
    return Line(
        one.name,
        {
            "name": Cell(name),
            "verdict": Cell(_WORDS[one.verdict]),
            "usd": Cell(number.signed(one.usd), one.usd, small=_bounds(view, one.usd_low, one.usd_high)),
            "units": Cell(number.signed(one.units), one.units, small=_bounds(view, one.units_low, one.units_high)),
            "edits": Cell(number.whole(one.edits), one.edits),
            "weeks": Cell(number.whole(one.weeks), one.weeks),
            "sold_out": Cell(number.whole(one.sold_out), one.sold_out),
        },
    )


def _bounds(view: View, low: float, high: float) -> str:
    return f"{view.numbers.signed(low)} to {view.numbers.signed(high)}" if np.isfinite(low) else f"bounds {MISSING}"
