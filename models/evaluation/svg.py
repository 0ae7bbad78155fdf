"""Small pictures as SVG text: a line chart over weeks and a heat map, for pages where a plotting library would cost more than what it draws.

A backfill shows a chart for each slice of each asset: Matplotlib takes a fifth of a second for one, these take none that can be measured.
"""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INK, DIM, LINE, BLUE, RED, CALM = "#1d2733", "#62707f", "#d9e0e7", "#2563a8", "#b3261e", "#eef1f4"
_FONT = 'font-family="system-ui,-apple-system,Segoe UI,Roboto,DejaVu Sans,sans-serif"'
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 220, 44, 132, 26, 30
_LABEL, _CELL, _ROW, _HEAD = 150, 30, 22, 66


@dataclass(frozen=True, slots=True)
class Series:
    """A line of the chart: a value for each week or None, its colour, and whether it is dashed."""

    values: Sequence[float | None]
    colour: str
    dashed: bool = False


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


def heat_map(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """A row of cells for each name; a cell is its colour and what is shown when it is pointed at, which names the row and column by itself.

    Column labels stand upright where there are many.
    """
    width, height = _LABEL + _CELL * len(columns) + 8, _HEAD + _ROW * len(rows) + 6
    parts = [
        f'<g transform="translate({_LABEL + _CELL * place + 19},{_HEAD - 6}) rotate(-90)">{_text(0, 0, name, colour=DIM)}</g>'
        for place, name in enumerate(columns)
    ]
    for number, (name, cells) in enumerate(rows.items()):
        top = _HEAD + _ROW * number
        parts.append(_text(_LABEL - 8, top + 15, name, anchor="end"))
        parts += [
            f'<rect x="{_LABEL + _CELL * place}" y="{top + 1}" width="{_CELL - 2}" height="{_ROW - 2}" rx="2" fill="{colour}">'
            f"<title>{html.escape(said)}</title></rect>"
            for place, (colour, said) in enumerate(cells)
        ]
    return _svg(width, height, title, parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(title)}" {_FONT} font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>'
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
