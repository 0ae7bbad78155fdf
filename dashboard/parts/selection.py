"""What is selected on a page: pickers whose choice stands in the address, so that it can be sent to somebody else."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.parts.table import views
from dashboard.parts.view import address


def pick(label: str, parameter: str, options: Sequence[str], *, default: str, words: Callable[[str], str] = str, help_: str = "") -> str:
    """Let one of the options be chosen, and return it. An address that names none of them means the default.

    Parameters
    ----------
    parameter
        Its name in the address.
    words
        How an option is called.
    """
    asked = st.query_params.get(parameter, default)
    chosen = asked if asked in options else default
    picked: str = st.selectbox(
        label,
        options,
        index=options.index(chosen),
        format_func=words,
        key=f"pick_{parameter}_{chosen}",
        help=help_ or None,
        label_visibility="visible",
    )
    if picked != asked:
        st.query_params[parameter] = picked
    return picked


def address_with(page: str, **changed: str) -> str:
    """Address of a page with what is selected on the present one, and what changes; an empty text leaves something out."""
    found = st.query_params.to_dict() | views() | changed
    return address(page, **{name: value for name, value in found.items() if value})
