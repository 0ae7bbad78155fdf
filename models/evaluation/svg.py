"""Small pictures as SVG text (lines over weeks, a heat map, two distributions), where a plotting library would cost more than what it draws.

A backfill shows a chart for each slice of each asset: Matplotlib takes a fifth of a second for one, these take none that can be measured.
"""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INK, DIM, LINE, BLUE, RED, CALM = "#1d2733", "#62707f", "#d9e0e7", "#2563a8", "#b3261e", "#eef1f4"
_FONT = 'font-family="system-ui,-apple-system,Segoe UI,Roboto,DejaVu Sans,sans-serif"'
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 220, 44, 132, 26, 30
_CELL, _ROW, _LETTER, _FEW = 26, 22, 6.6, 6


@dataclass(frozen=True, slots=True)
class Series:
    """A line of the chart: a value for each week or None, its colour, and whether it is dashed."""

    values: Sequence[float | None]
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a heat map: its colour, what is said of it when it is pointed at, and a sign in it."""

    colour: str
    said: str
    mark: str = ""


def line_chart(title: str, weeks: Sequence[str], series: Mapping[str, Series]) -> str:
    """Lines over weeks from 0 up, each named at its end.

    Parameters
    ----------
    weeks
        Labels of the x axis, oldest first; at least one.
    series
        By name; as many values each as weeks, at least one of all of them known.
    """
    top = _round_up(max(value for one in series.values() for value in one.values if value is not None))
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def x(place: int) -> float:
        return _LEFT + (right - _LEFT) * (place / (len(weeks) - 1) if len(weeks) > 1 else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * value / top

    parts = [_text(_LEFT, 15, title, weight=600)]
    for step in range(5):
        value = top * step / 4
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{LINE}"/>')
        parts.append(_text(_LEFT - 6, y(value) + 4, f"{value:.2f}", anchor="end", colour=DIM))
    for place in sorted({0, len(weeks) // 2, len(weeks) - 1}):
        anchor = "middle" if 0 < place < len(weeks) - 1 or len(weeks) == 1 else "start" if place == 0 else "end"
        parts.append(_text(x(place), _HEIGHT - 10, weeks[place], anchor=anchor, colour=DIM))
    ends = []
    for name, one in series.items():
        parts += [_line([(x(place), y(value)) for place, value in run], one) for run in _runs(one.values)]
        if known := [(place, value) for place, value in enumerate(one.values) if value is not None]:
            ends.append((y(known[-1][1]), f"{name} {known[-1][1]:.3f}", one.colour))
    parts += [_text(right + 8, place + 4, name, colour=colour) for place, name, colour in _apart(ends)]
    return _svg(_WIDTH, _HEIGHT, title, parts)


def heat_map(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[Cell]], label: int = 150) -> str:
    """A row of cells for each name, under upright column labels.

    Parameters
    ----------
    label
        Room for the names, in pixels.
    """
    head = 14 + max(_LETTER * len(name) for name in columns)
    width, height = label + _CELL * len(columns) + 8, head + _ROW * len(rows) + 6
    parts = [
        f'<g transform="translate({label + _CELL * place + 18},{head - 6}) rotate(-90)">{_text(0, 0, name, colour=DIM)}</g>'
        for place, name in enumerate(columns)
    ]
    for number, (name, cells) in enumerate(rows.items()):
        top = head + _ROW * number
        parts.append(_text(label - 8, top + 15, name, anchor="end"))
        parts += [
            f'<rect x="{label + _CELL * place}" y="{top + 1}" width="{_CELL - 2}" height="{_ROW - 2}" rx="3" fill="{cell.colour}">'
            f"<title>{html.escape(cell.said)}</title></rect>" + _mark(label + _CELL * place, top, cell.mark)
            for place, cell in enumerate(cells)
        ]
    return _svg(width, height, title, parts)


def distributions(title: str, labels: Sequence[str], current: Sequence[float], reference: Sequence[float], colour: str) -> str:
    """Shares of bins or levels now, filled, over those of the reference, outlined; one label below each, or at both ends of many."""
    width, height, left, bottom, top = 360, 150, 10, 126, 10
    most, step = max([*current, *reference, 1e-9]), (width - 2 * left) / len(labels)

    def bar(place: int, share: float, drawn: str) -> str:
        tall = (bottom - top) * share / most
        return f'<rect x="{left + step * place + 1:.1f}" y="{bottom - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}" {drawn}/>'

    few = len(labels) <= _FEW
    shown = range(len(labels)) if few else (0, len(labels) - 1)
    room = int(step / _LETTER) if few else 24
    parts = [bar(place, share, f'fill="{colour}" fill-opacity="0.45"') for place, share in enumerate(current)]
    parts += [bar(place, share, f'fill="none" stroke="{DIM}"') for place, share in enumerate(reference)]
    for place in shown:
        anchor = "middle" if few else "start" if place == 0 else "end"
        at = left + step * (place + 0.5) if few else left if place == 0 else width - left
        parts.append(_text(at, bottom + 16, _cut(labels[place], room), anchor=anchor, colour=DIM))
    return _svg(width, height, title, parts)


def _mark(left: float, top: float, mark: str) -> str:
    """A sign in a cell, so that it can be told without its colour."""
    return _text(left + (_CELL - 2) / 2, top + 15, mark, anchor="middle", colour="#fff", weight=700) if mark else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 1, 1)]}…"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="{html.escape(title)}" {_FONT} font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, weight: int = 400) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{html.escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], one: Series) -> str:
    if len(points) == 1:
        [(x, y)] = points
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{one.colour}"/>'
    dashes = ' stroke-dasharray="4 3"' if one.dashed else ""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{drawn}" fill="none" stroke="{one.colour}" stroke-width="2"{dashes}/>'


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches of known values: a gap is left open and not drawn over."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _apart(ends: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Labels moved down so that none covers another."""
    moved: list[tuple[float, str, str]] = []
    for place, name, colour in sorted(ends):
        moved.append((max(place, moved[-1][0] + 14) if moved else place, name, colour))
    return moved


def _round_up(value: float) -> float:
    """The next number of 1, 2, 4, 6, 8 times a power of ten; 1 where all is 0."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if value <= power * step * (1 + 1e-9))
