"""The pages together: which there are, in which order, and what surrounds each of them."""

from collections.abc import Callable

import streamlit as st

from dashboard.pages import bi, monitoring, orders, overview, scoring, time_machine, training, value_added, what_if
from dashboard.parts.frame import draw_frame
from dashboard.parts.pressing import begin_drawing
from dashboard.parts.states import guarded
from dashboard.parts.view import current, turn_to

PAGES: tuple[tuple[str, str, Callable[[], None]], ...] = (
    ("Overview", "overview", overview.show),
    ("Training", "training", training.show),
    ("Monitoring", "monitoring", monitoring.show),
    ("Scoring", "scoring", scoring.show),
    ("Orders", "orders", orders.show),
    ("What if", "what_if", what_if.show),
    ("Time machine", "time_machine", time_machine.show),
)
"""Title, address below /pages and content; the first one stands at /pages itself."""
BESIDE: tuple[tuple[str, str, Callable[[], None]], ...] = (
    ("Value added", "value_added", value_added.show),
    ("Data for other tools", "bi", bi.show),
)
"""Pages that others lead to."""


def run() -> None:
    """Draw the page that was asked for."""
    pages = [st.Page(show, title=title, url_path=path, default=place == 0) for place, (title, path, show) in enumerate((*PAGES, *BESIDE))]
    chosen = st.navigation(pages, position="hidden")
    turn_to(chosen.title)
    begin_drawing()
    st.set_page_config(page_title=f"{chosen.title} - Shelfcast", layout="wide", initial_sidebar_state="collapsed")
    view = current()
    draw_frame(pages[: len(PAGES)], view)
    st.title(chosen.title, anchor=False)
    with guarded():
        view.require_lake()
        chosen.run()
