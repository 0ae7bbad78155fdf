"""How an operator decides on a page, be it on models or on data: the checks behind it, a form with a reason, and afterwards what became of it.

What is decided, and by which rules, stands in `orchestration.service.decisions`.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.parts.numbers import Numbers
from dashboard.parts.pressing import is_pressed
from dashboard.parts.table import Cell, Column, Line, show_table
from dashboard.parts.view import View, current
from dashboard.parts.words import plain
from transforms.errors import ShelfcastError

_SAID, _TAKEN = "said_of_decision", "decisions_taken"
_CHECKS = (
    Column("check", "Check", phone=True),
    Column("outcome", "Outcome", phone=True),
    Column("value", "Value", number=True, phone=True),
    Column("limit", "Limit", number=True),
    Column("detail", "Detail"),
)


@dataclass
class _Taken:
    """Decisions that a person took since the page was opened, and what was said of each. A second click is carried out beside the first one."""

    said: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def ask(key: str, what: str, act: Callable[[View, bool, str], str]) -> None:
    """Ask for a reason and for an approval or a rejection of `what`.

    Parameters
    ----------
    key
        What is decided on, in the state in which it stands on the page: that is decided once.
    act
        Decides, given the view, whether it is an approval, and the reason; returns what to say of it. It is bound to what stands on the page now,
        also where somebody else decides before the button is pressed.
    """
    st.session_state.setdefault(_TAKEN, _Taken())
    with st.form(f"decide_{key}", enter_to_submit=False, border=False):
        st.text_input("Reason", key=f"reason_{key}", placeholder="required; kept for good beside your name")
        with st.container(horizontal=True):
            # Decided before the page is drawn; a press that came with a new connection decides nothing, and is told so here.
            is_pressed(st.form_submit_button(f"Approve {what}", type="primary", key=f"approve_{key}", on_click=_carry_out, args=(key, act, True)))
            is_pressed(st.form_submit_button(f"Reject {what}", key=f"reject_{key}", on_click=_carry_out, args=(key, act, False)))


def _carry_out(key: str, act: Callable[[View, bool, str], str], approved: bool) -> None:
    taken: _Taken = st.session_state[_TAKEN]
    view, why = current(), str(st.session_state.get(f"reason_{key}", "")).strip()
    with taken.lock:
        try:
            if key not in taken.said:
                taken.said[key] = act(view, approved, why)
            st.session_state[_SAID] = "success", taken.said[key]
        except ShelfcastError as error:
            st.session_state[_SAID] = "error", str(error)
    view.reader.forget_versions()


def tell_nobody(_: str) -> None:
    """Whoever decides at the moment does so for seconds: a page waits without a word."""


def show_outcome() -> None:
    """Say what became of a decision, once."""
    # Its place is kept while there is nothing to say: a form beneath would lose what is being typed if it moved.
    place = st.empty()
    tone, said = st.session_state.pop(_SAID, ("", ""))
    if said:
        (place.success if tone == "success" else place.error)(plain(said))


def show_checks(numbers: Numbers, key: str, caption: str, checks: Sequence[dict[str, Any]], *, empty: str) -> None:
    """A table of checks, those that failed first."""
    lines = [_check(numbers, check) for check in sorted(checks, key=lambda check: bool(check["passed"]))]
    show_table(key, caption, _CHECKS, lines, empty=empty)


def _check(numbers: Numbers, check: dict[str, Any]) -> Line:
    passed, decides = check["passed"], check.get("decides", True)
    outcome = Cell("passed") if passed else Cell("failed" if decides else "failed, on record only", tone="act" if decides else "look")
    value, limit = (None if number is None or math.isnan(number) else float(number) for number in (check["value"], check["limit"]))
    cells = {
        "check": Cell(check["name"]),
        "outcome": outcome,
        "value": Cell(numbers.three(value), value),
        "limit": Cell(numbers.three(limit), limit),
        "detail": Cell(check["detail"]),
    }
    return Line(check["name"], cells)
