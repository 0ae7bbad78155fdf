"""Tiles: one thing each, with its number beside what it is compared with, and its state as a word and a shape."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

_CSS = (Path(__file__).parent / "tiles.css").read_text()
Tone = Literal["good", "look", "act", "quiet"]
_SHAPES: dict[Tone, str] = {"good": "●", "look": "◆", "act": "▲", "quiet": "○"}
"""Told apart without colours: as expected, worth a look, act now, not measured."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: its name, a number with its unit, lines beneath with what it is compared with, and its state. All are texts, and escaped here."""

    name: str
    figure: str
    unit: str
    lines: tuple[str, ...]
    state: str
    tone: Tone
    href: str = ""


def show_tiles(tiles: Sequence[Tile], label: str) -> None:
    """Draw them as a list; `label` says to screen readers what they are."""
    st.html(f"<style>{_CSS}</style><ul class='tiles' aria-label='{html.escape(label, quote=True)}'>{''.join(map(_item, tiles))}</ul>")


def _item(tile: Tile) -> str:
    text = {name: html.escape(getattr(tile, name), quote=True) for name in ("name", "figure", "unit", "state", "href")}
    name = f"<a href='{text['href']}' target='_self'>{text['name']}</a>" if tile.href else f"<b>{text['name']}</b>"
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in tile.lines)
    state = f"<p class='state'><span aria-hidden='true'>{_SHAPES[tile.tone]}</span><span>{text['state']}</span></p>"
    return f"<li class='tile {tile.tone}'>{name}<span class='figure'>{text['figure']} <small>{text['unit']}</small></span>{lines}{state}</li>"
