"""Charts as all pages have them: direct labels, weeks as dates, a table of what is drawn and its download beneath."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.parts.theme import BLUE, QUIET, QUIET_ON_DARK, SKY

WEEK_FORMAT = "%-d %b"
ROW_HEIGHT, _PLACES = 22, 6


def line_colour() -> str:
    """The colour of what is looked at, with a contrast of 4.5 on the ground that the reader chose."""
    return SKY if st.context.theme.type == "dark" else BLUE


def quiet_colour() -> str:
    """The colour of what it is compared with, likewise."""
    return QUIET_ON_DARK if st.context.theme.type == "dark" else QUIET


def week_axis(title: str | None = None, ticks: int = 8) -> alt.Axis:
    """Weeks as 8 Jul, years at their start."""
    return alt.Axis(
        title=title, tickCount=ticks, labelExpr=f"timeFormat(datum.value, month(datum.value) == 0 ? '%-d %b %Y' : '{WEEK_FORMAT}')", grid=False
    )


def show_chart(chart: Any, described: str, data: pd.DataFrame, name: str, columns: Mapping[str, str] | None = None) -> None:
    """Draw a chart with its description, and its data beneath to view and download.

    Parameters
    ----------
    described
        What the chart shows, in a sentence: screen readers read it.
    data
        What is drawn; `columns` name what of it is shown, with its headings.
    name
        Name of the download, unique on the page.
    """
    # The description speaks for the whole: marks would be pictures without a name.
    st.altair_chart(chart.properties(description=described).configure_mark(aria=False).configure_axis(aria=False), width="stretch")
    shown = data if columns is None else data[list(columns)].rename(columns=dict(columns))
    with st.expander("View data", key=f"data_{name}"):
        st.table(shown.head(200))
        # A program that reads the file wants 0.19, where people read 19 %.
        written = columns.get("text") if columns and "value" in data else None
        counted = shown.assign(**{written: data["value"].round(_PLACES)}) if written else shown
        st.download_button("Download CSV", counted.to_csv(index=False).encode("utf-8-sig"), f"{name}.csv", "text/csv", key=f"download_{name}")
