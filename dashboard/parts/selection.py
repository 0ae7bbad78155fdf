"""What is selected on a page: pickers whose choice stands in the address, so that it can be sent to somebody else."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.parts.table import views
from dashboard.parts.view import address, on_this_page
from dashboard.parts.words import plain

_TOLD = 60


def pick(label: str, parameter: str, options: Sequence[str], *, default: str, words: Callable[[str], str] = str, help_: str = "") -> str:
    """Let one of the options be chosen, and return it. An address that names none of them means the default.

    Parameters
    ----------
    parameter
        Its name in the address.
    words
        How an option is called.
    """
    # Of this page alone: the next one's picker of the same name starts with what its own address says.
    key, state = on_this_page(f"pick_{parameter}"), st.session_state
    asked, shown, drawn = st.query_params.get(parameter), state.get(key), state.get(f"{key}_drawn")
    # What was chosen while the page was still being drawn, or was cut off, goes before the address, which says what was chosen last before it.
    wanted = shown if shown not in {None, drawn} else asked
    if wanted not in options:
        wanted = default
    if shown != wanted:
        state[key] = wanted
    picked: str = st.selectbox(label, options, format_func=words, key=key, help=help_ or None)
    state[f"{key}_drawn"] = picked
    # Only where it was asked for from elsewhere: a store is gone from the address's region, too, once another one is chosen.
    if drawn is None and asked and asked not in options:
        st.warning(f"There is no {plain(label.lower())} {plain(asked[:_TOLD])} here: this is {plain(words(picked))}.")
    if picked != (default if asked is None else asked):
        st.query_params[parameter] = picked
    return picked


def address_with(page: str, **changed: str) -> str:
    """Address of a page with what is selected on the present one, and what changes; an empty text leaves something out."""
    found = st.query_params.to_dict() | views() | changed
    return address(page, **{name: value for name, value in found.items() if value})
