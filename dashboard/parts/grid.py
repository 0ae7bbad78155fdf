"""A grid of cells, such as region by week: each cell a colour, a mark or word on it, and the row on hover. What its colours mean is its page's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from dashboard.parts.charts import ROW_HEIGHT
from dashboard.parts.theme import ORANGE, RAMP

NOT_MEASURED, EXPECTED, ABOVE = "#C9CFD5", RAMP[0], ORANGE
_DARK_INK, _LIGHT_INK = "#1D2733", "#FFFFFF"
_SPARSE = 10
"""Columns up to which words stand on the cells; among more of them a mark alone is legible."""


@dataclass(frozen=True, slots=True)
class Square:
    """One cell: where it stands, its colour, the word on it, the mark in its place where columns are narrow, what hovering says, where it leads."""

    row: str
    column: str
    fill: str
    word: str
    mark: str
    told: str
    href: str = ""


def shade(share: float) -> str:
    """A colour of the blue ramp for a share of the largest value, paler than which nothing is."""
    return RAMP[min(1 + int(share * (len(RAMP) - 1)), len(RAMP) - 1)]


def data_of(squares: Sequence[Square]) -> pd.DataFrame:
    """The cells as a chart draws them."""
    return pd.DataFrame(
        [(s.row, s.column, s.fill, s.word, s.mark, s.told, s.href, _LIGHT_INK if s.fill in RAMP[3:] else _DARK_INK) for s in squares],
        columns=["row", "column", "fill", "word", "mark", "told", "href", "ink"],
    )


def grid(data: pd.DataFrame, rows: Sequence[str], columns: Sequence[str], title: str) -> Any:
    """Draw cells, rows and columns in these orders; cells that are not among the data stay empty. A comma breaks the name of a column.

    Parameters
    ----------
    data
        `data_of` some cells.
    title
        What a cell says, as the heading of its hover text.
    """
    few = len(columns) <= _SPARSE
    across = alt.Axis(labelAngle=0, labelOverlap=not few, labelExpr="split(datum.label, ', ')", orient="top", domain=False, ticks=False)
    down = alt.Axis(labelLimit=150, labelBound=False, labelFlush=False, labelOverlap=False, domain=False, ticks=False)
    base = alt.Chart(data).encode(
        x=alt.X("column:O", sort=list(columns), title=None, axis=across),
        y=alt.Y("row:O", sort=list(rows), title=None, axis=down),
        tooltip=[alt.Tooltip("row:N", title=" "), alt.Tooltip("column:N", title="  "), alt.Tooltip("told:N", title=title)],
    )
    link = {"href": alt.Href("href:N")} if data["href"].any() else {}
    cells = base.mark_rect(cornerRadius=2, stroke=None, xOffset=1, x2Offset=-1).encode(color=alt.Color("fill:N", scale=None), **link)
    words = base.mark_text(fontSize=11, baseline="middle").encode(text="word:N" if few else "mark:N", color=alt.Color("ink:N", scale=None), **link)
    # The heads of the columns, of two lines, take their place from it.
    height = max(len(rows), 1) * (ROW_HEIGHT + 2) + 56
    return (cells + words).properties(height=height).configure_scale(bandPaddingInner=0.08).configure_view(stroke=None)
