"""The table of all pages: sorted, filtered and downloaded in the browser, its state in the address, read by keyboard and on a phone.

Streamlit's own is a canvas, which screen readers and the address know nothing of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from dashboard.parts.numbers import MISSING
from dashboard.parts.view import on_this_page

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "shelfcast_table",
    html='<div class="table-root"></div>',
    css=(_HERE / "table.css").read_text(),
    js=(_HERE / "table.js").read_text(),
)
_KEY, _PLACES = "table_", 3
Tone = Literal["", "look", "act", "quiet"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. The first one of a table is its name, `phone` ones are seen on a phone too: three at most."""

    key: str
    title: str
    help: str = ""
    number: bool = False
    phone: bool = False
    edit: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text as read, what it is sorted by, and what a download holds (both the text's own where not given).

    `small` stands beneath, `phone` beneath on a phone alone, `help` on hover; `spark` draws a small line; `edit` offers a field with
    steps of `step`.
    """

    text: str = ""
    value: float | str | None = None
    small: str = ""
    phone: str = ""
    help: str = ""
    tone: Tone = ""
    spark: Sequence[float | None] = ()
    edit: bool = False
    step: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A row: an id for events, its cells by column, and the page that a click on its name opens."""

    id: str
    cells: dict[str, Cell] = field(default_factory=dict)
    href: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Somebody entered a text where a number belongs: into which row, and what the table was `of` then.

    `entered` are the table on a page in a browser and the number that it gave this: one that was cut off may say the same again.
    """

    of: str
    row: str
    text: str
    entered: tuple[str, int]


def show_table(key: str, caption: str, columns: Sequence[Column], rows: Sequence[Line], *, empty: str, sort: str = "", of: str = "") -> list[Edit]:
    """Draw a table, and return what was entered into it since it was drawn last.

    Parameters
    ----------
    key
        Name of the table, unique on its page: the address holds its state as `KEY.sort` and `KEY.find`.
    caption
        What the rows are, for screen readers and the name of a download.
    empty
        What is missing and what brings it, where there are no rows.
    sort
        Key of the column that rows are sorted by at first, with a minus for downwards; empty for the order given.
    of
        What the rows belong to, where that is chosen on the page: what is entered just when another is chosen comes with the one it was entered for.
    """
    # What was done in the browser comes before the address, which follows it.
    done = st.session_state.get(_name(key), {}).get("view")
    found = done or {"sort": st.query_params.get(f"{key}.sort", sort), "find": st.query_params.get(f"{key}.find", "")}
    data = {
        **found,
        "caption": caption,
        "empty": empty,
        "file": caption.lower().replace(" ", "_"),
        "of": of,
        "taken": st.session_state.get(_seen(key), 0),
        "columns": [
            {"key": c.key, "title": c.title, "help": c.help, "number": c.number, "phone": c.phone, "edit": c.edit, "name": place == 0}
            for place, c in enumerate(columns)
        ],
        "rows": [_row(line, columns) for line in rows],
    }
    # The view is the browser's to change; this only makes room for it among the component's states.
    first: dict[str, Any] = {"view": found, "entered": []}
    result = _component(key=_name(key), data=data, default=first, on_view_change=_nothing, on_entered_change=_nothing)
    _remember(key, sort, result.view or found)
    return _entered(key, result.entered or [])


def views() -> dict[str, str]:
    """How this page's tables are sorted and searched at the moment, as the address is about to say: it follows while they are drawn."""
    found: dict[str, str] = {}
    for name, state in st.session_state.items():
        key = str(name).removeprefix(_KEY).partition("@")[0]
        if str(name) == _name(key) and (view := state.get("view")):
            found |= {f"{key}.{part}": str(view.get(part, "")) for part in ("sort", "find")}
    return found


def _name(key: str) -> str:
    return on_this_page(f"{_KEY}{key}")


def _entered(key: str, entered: Sequence[dict[str, Any]]) -> list[Edit]:
    """What is new among all that was entered, which the browser numbers."""
    new = [one for one in entered if one["n"] > st.session_state.get(_seen(key), 0)]
    if new:
        st.session_state[_seen(key)] = new[-1]["n"]
    return [Edit(str(one["of"]), str(one["row"]), str(one["text"]), (str(one["page"]), int(one["n"]))) for one in new]


def _seen(key: str) -> str:
    """Name of the number of what was entered last."""
    return on_this_page(f"seen_{key}")


def _remember(key: str, first: str, view: dict[str, Any]) -> None:
    """Put the table's state into the address; what is as at first is left out."""
    for name, value, plain in (("sort", view.get("sort", ""), first), ("find", view.get("find", ""), "")):
        parameter = f"{key}.{name}"
        if value != plain and st.query_params.get(parameter) != value:
            st.query_params[parameter] = str(value)
        elif value == plain and parameter in st.query_params:
            del st.query_params[parameter]


def _row(line: Line, columns: Sequence[Column]) -> dict[str, Any]:
    cells = {column.key: _cell(line.cells.get(column.key, Cell())) for column in columns}
    return {"id": line.id, "name": line.cells.get(columns[0].key, Cell()).text, "href": line.href, "tone": line.tone, "cells": cells}


def _cell(cell: Cell) -> dict[str, Any]:
    sort = cell.text if cell.value is None and cell.text not in {"", MISSING} else cell.value
    found: dict[str, Any] = {"text": cell.text, "value": _downloaded(cell), "sort": sort}
    for name in ("small", "phone", "help", "tone", "spark", "edit"):
        if value := getattr(cell, name):
            found[name] = list(value) if name == "spark" else value
    return {**found, "step": cell.step} if cell.edit else found


def _downloaded(cell: Cell) -> float | str:
    """What a download holds: all of a small line, and no more places of a number than anybody measures."""
    if cell.spark:
        return " ".join("" if value is None else f"{value:g}" for value in cell.spark)
    if isinstance(cell.value, float):
        return round(cell.value, _PLACES)
    return cell.text if cell.value is None else cell.value


def _nothing() -> None:
    """A change of the view draws the page anew, which is all that it has to do."""
