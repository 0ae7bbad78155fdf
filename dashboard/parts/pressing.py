"""Buttons that change something: they do it to what the page showed when they were pressed, or say that it is no longer so."""

from typing import TypeVar

import streamlit as st

_DRAWINGS, _SHOWN = "drawings", "shown_before"
_LOOK = "Look at it again, and press once more if it still is what you want."
_What = TypeVar("_What")


def begin_drawing() -> None:
    """Count the drawings of a session, which begins anew where a connection was broken."""
    st.session_state[_DRAWINGS] = st.session_state.get(_DRAWINGS, 0) + 1


def is_pressed(button: bool) -> bool:
    """Whether a button is to act: one that is pressed in a session's first drawing was drawn by another session, which is forgotten."""
    if button and st.session_state.get(_DRAWINGS) == 1:
        st.warning(f"**Nothing was done:** the connection was broken meanwhile, and the page is drawn anew. {_LOOK}")
        return False
    return button


def shown_before(name: str, now: _What) -> _What:
    """What the page showed under a name when a button was pressed, and remember what it shows now."""
    shown: dict[str, _What] = st.session_state.setdefault(_SHOWN, {})
    before = shown.get(name, now)
    shown[name] = now
    return before


def refuse_unseen(what: str) -> None:
    """Say that a button did nothing, since something is not as the page showed it."""
    st.warning(f"**Nothing was done:** {what} changed after this page was drawn. {_LOOK}")
