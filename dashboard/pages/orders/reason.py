"""The form beneath edits that are not saved yet: why they are made, and the buttons to save or drop them all."""

import streamlit as st

from dashboard.parts.pressing import is_pressed
from transforms.contracts.orders import REASONS


def ask_why(key: str, *, ready: bool = True) -> tuple[str, str, str]:
    """Return what was pressed ("save", "drop" or nothing), the reason, and it in the planner's own words.

    Parameters
    ----------
    key
        Begins the names of the form's fields: each form of a page has its own.
    ready
        Whether there is something to save. Nothing is saved without a reason.
    """
    left, middle, save, drop = st.columns([2, 3, 1, 1], vertical_alignment="bottom")
    reason = left.selectbox("Why", REASONS, index=None, placeholder="Choose a reason", key=f"{key}reason") or ""
    note = middle.text_input("In your own words", key=f"{key}note", placeholder="optional")
    if is_pressed(drop.button("Drop", key=f"{key}drop")):
        return "drop", reason, note
    pressed = is_pressed(save.button("Save", type="primary", key=f"{key}save", disabled=not (reason and ready)))
    return "save" if pressed and reason else "", reason, note
