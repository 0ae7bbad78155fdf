"""The frame of every page: its title, the navigation of seven words, who is signed in, and the ways to Dagster and the reports."""

import html
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.parts.view import View

_HERE = Path(__file__).parent
_CSS = (_HERE / "frame.css").read_text()
_watch = st.components.v2.component("shelfcast_watch", js=(_HERE / "frame.js").read_text())


def draw_frame(pages: Sequence[StreamlitPage], view: View) -> None:
    """Draw it."""
    st.html(f"<style>{_CSS}</style>")
    _watch(key="watch")
    with st.container(key="navigation"):
        st.html("<div class='brand'><b>Shelfcast</b></div>")
        for page in pages:
            st.page_link(page, label=page.title)
        person = view.person
        st.html(
            "<div class='who'><a href='/assets/reports/board' target='_self'>Dagster</a><a href='/reports/' target='_self'>Reports</a>"
            f"<br>{html.escape(person.name)}<br>{html.escape(person.role)}</div>"
        )
