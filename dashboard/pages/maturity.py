"""How far operations are automated, with the next step: a part of Overview. How that is assessed stands in the report of it."""

import streamlit as st

from dashboard.parts import states
from dashboard.parts.numbers import moment
from dashboard.parts.view import View
from dashboard.parts.words import plain
from dashboard.queries.maturity import HIGHEST, maturity

_LEVELS = "0 nothing automated, 1 code is, 2 training is, 3 deployment of models is, 4 operations are."


def show_maturity(view: View) -> None:
    """Draw it."""
    st.header("Maturity of operations", anchor=False)
    found = maturity(view.reader)
    if found is None:
        states.empty("It was not assessed yet.", "Dagster does so each Wednesday, once the schedule `audit_schedule` is switched on.")
        return
    number = view.numbers
    met = f"{number.whole(found.met)} of {number.whole(found.criteria)} criteria met on {moment(found.assessed_at)}"
    st.markdown(f"**Level {found.level} of {HIGHEST}**: {met}. [Evidence](/reports/audit/maturity.html)", help=_LEVELS)
    if found.steps:
        st.markdown("\n".join([f"To level {found.level + 1}:", "", *(f"- {plain(step)}" for step in found.steps)]))
