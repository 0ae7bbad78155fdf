"""What the page of a region's week leads with: the verdict in a sentence, columns over weeks, and the few columns that matter.

Colour stands for drift and for nothing else. Drawn without Evidently and without scripts; the whole ranking and Evidently's plots are folded below.
"""

import html
from collections.abc import Sequence

import numpy as np

from models.drift.score import DriftResult, Judged
from models.evaluation.svg import BLUE, CALM, RED, Cell, distributions, heat_map
from transforms.arrays import Floats64

RANKING = ("column", "of", "verdict", "distance", "drifts from", "p-value", "MAPE", "RMSE, units", "USD in the week", "compared with")
_WEEKS = 13
_MOST, _LEAST_SHOWN = 4, 2
_BINS, _LEVELS = 18, 6
_GREYS = (CALM, "#dfe4ea", "#cdd5dd", "#b9c3ce")
_MISSING = "#fff"
_OTHERS = "others"


def ranking(result: DriftResult) -> list[tuple[str, ...]]:
    """Rows of RANKING: columns that drifted first, each by its estimated effect on money."""
    return [
        (
            one.column.name,
            one.column.kind,
            "drifted" if one.drifted else "as usual",
            f"{one.score:.3f}",
            f"{one.threshold:.3f}",
            f"{one.p_value:.2g}",
            f"{one.effect.mape:+.4f}",
            f"{one.effect.rmse:+.3f}",
            f"{one.effect.money:+,.0f}",
            _compared_with(result, one),
        )
        for one in result.judged
    ]


def notes(result: DriftResult) -> list[str]:
    """What a reader should know of the comparison: what it fell back to, what could not be judged, whose errors the effects are of."""
    trailing = [one.column.name for one in result.judged if one.basis != one.column.bases[0]]
    return [
        *([f"Compared with the half year before, for want of past years: {', '.join(trailing)}."] if trailing else []),
        *([f"Not judged, for want of past weeks: {', '.join(result.unjudged)}."] if result.unjudged else []),
        *(
            ["Effects are estimated from the errors of each series' recent level: too few weeks have forecasts."]
            if any(one.effect.source == "recent level" for one in result.judged)
            else []
        ),
    ]


def verdict(result: DriftResult) -> str:
    """The verdict in one sentence."""
    of, drifted = len(result.judged), [one for one in result.judged if one.drifted]
    if not drifted:
        return f"No drift: none of {of} columns is farther from what is usual at this time of the year than past weeks were."
    first = drifted[0]
    named = f"{first.column.name} first of all" if len(drifted) > 1 else first.column.name
    return (
        f"Drift detected in {len(drifted)} of {of} columns, {named}: it is estimated to change the week's cost by {first.effect.money:+,.0f} USD "
        f"and MAPE by {100 * first.effect.mape:+.1f} points."
    )


def lead(result: DriftResult) -> str:
    """HTML of the page up to what Evidently draws: it needs no script."""
    where = f"Drift in {str(result.frames.region).replace('_', ' ').title()}, week of {result.frames.week}"
    tone, sentence = ("bad" if result.drifted else "good"), html.escape(verdict(result))
    cards = "".join(_card(result, one) for one in _that_matter(result))
    return (
        f"<style>{_CSS}</style><main><h1>{html.escape(where)}</h1><p class='verdict {tone}'>{sentence}</p>"
        f"<section><h2>Columns over weeks</h2><p class='note'>Red: the column had drifted. The darker the grey, the nearer it came to it. "
        f"Ranked by what drift is estimated to cost; the week itself is on the right.</p><div class='wide'>{_heat(result)}</div></section>"
        f"<section><h2>The columns that {'matter' if result.drifted else 'came nearest'}</h2><div class='cards'>{cards}</div></section>"
        f"<section><details><summary><h2>All columns</h2> <span>{len(result.judged)}</span></summary>{_table(result)}</details></section>"
    )


def _heat(result: DriftResult) -> str:
    history, last = result.frames.history, result.frames.history.weeks - 1
    shown = range(max(0, last + 1 - _WEEKS), last + 1)
    rows = {one.column.name: [_cell(result, one, place) for place in shown] for one in result.judged}
    return heat_map("Distance of each column from its reference, by week", [str(history.first + place) for place in shown], rows)


def _cell(result: DriftResult, one: Judged, place: int) -> Cell:
    """A past week has drifted from the distance on from which the column does by itself; the week itself as it was judged beside the others."""
    if place == result.frames.history.weeks - 1:
        score, drifted = one.score, one.drifted
    else:
        [*found] = one.null[one.null_weeks == place]
        if not found:
            return Cell(_MISSING, f"{one.column.name}, {result.frames.history.first + place}: not compared")
        score = float(found[0])
        drifted = score >= one.threshold
    share = score / one.threshold if one.threshold > 0 else 0.0
    tooltip = f"{one.column.name}, {result.frames.history.first + place}: {score:.3f}, drifts from {one.threshold:.3f}"
    return Cell(RED, tooltip, "!") if drifted else Cell(_GREYS[min(int(share * len(_GREYS)), len(_GREYS) - 1)], tooltip)


def _that_matter(result: DriftResult) -> Sequence[Judged]:
    """Columns that drifted, the costliest first; without any, those that came nearest to it."""
    drifted = [one for one in result.judged if one.drifted]
    nearest = sorted(result.judged, key=lambda one: -one.score / max(one.threshold, 1e-9))
    return drifted[:_MOST] or nearest[:_LEAST_SHOWN]


def _card(result: DriftResult, one: Judged) -> str:
    labels, current, reference = _shares(one)
    name = html.escape(one.column.name)
    drawn = distributions(f"{one.column.name} now and before", labels, list(current), list(reference), RED if one.drifted else BLUE)
    state = "<b class='bad'>drifted</b>" if one.drifted else "as usual"
    return (
        f"<article><h3>{name} <span>{state}</span></h3>{drawn}"
        f"<p class='note'>Filled: this week. Outline: {html.escape(_compared_with(result, one))}.</p>"
        f"<dl><dt>distance</dt><dd>{one.score:.3f}, drifts from {one.threshold:.3f}</dd><dt>in the week</dt><dd>{one.effect.money:+,.0f} USD, "
        f"MAPE {100 * one.effect.mape:+.1f} points, RMSE {one.effect.rmse:+.2f} units</dd></dl></article>"
    )


def _shares(one: Judged) -> tuple[list[str], Floats64, Floats64]:
    """Labels and shares to draw: of numbers in bins of the same width, of texts the levels with most rows and all others together."""
    if one.edges is None:
        assert one.column.levels is not None  # noqa: S101 - texts have levels
        order = np.argsort(-np.maximum(one.current, one.reference), kind="stable")
        kept, rest = order[: _LEVELS - 1], order[_LEVELS - 1 :]
        labels = [str(one.column.levels[place]) for place in kept]
        parts = [np.append(shares[kept], shares[rest].sum()) if len(rest) else shares[kept] for shares in (one.current, one.reference)]
        return [*labels, *([_OTHERS] if len(rest) else [])], parts[0], parts[1]
    if len(one.edges) < 2:
        return [f"{one.edges[0]:g}" if len(one.edges) else ""], np.ones(1), np.ones(1)
    below = [np.concatenate([[0.0], np.cumsum(shares) / shares.sum()]) for shares in (one.current, one.reference)]
    # Without the outermost hundredth on either side, else a single value far off would press all others into one bin.
    low, high = (float(np.interp(at, (below[0] + below[1]) / 2, one.edges)) for at in (0.01, 0.99))
    grid = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    binned = [np.diff(np.interp(grid, one.edges, part)) for part in below]
    return [f"{edge:,.4g}" for edge in (*grid[:-2], grid[-1])], binned[0], binned[1]


def _compared_with(result: DriftResult, one: Judged) -> str:
    reference = f"season of {result.seasons(one)}" if one.basis == "season" else "half year before"
    return f"{reference}: {len(one.weeks)} week{'s' if len(one.weeks) > 1 else ''}"


def _table(result: DriftResult) -> str:
    head = "".join(f"<th>{name}</th>" for name in RANKING)
    rows = "".join(
        f"<tr{' class=bad' if one.drifted else ''}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        for one, row in zip(result.judged, ranking(result), strict=True)
    )
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes(result))
    return (
        "<p class='note'>Each column is compared with the same season of past years; it has drifted when it is farther away than past weeks were "
        "from theirs. Ranked by what its drift is estimated to cost: the change of MAPE, RMSE and USD that goes with it. "
        f"Columns that move together share their effect.</p><ul class='note'>{items}</ul>"
        f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


_CSS = """
body{margin:0;background:#f5f7f9;color:#1d2733;font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 20px 48px;box-sizing:border-box}main h1{font-size:24px;margin:0 0 4px;font-weight:600}
main h2{font-size:16px;margin:0 0 6px;display:inline-block;font-weight:600}main h3{font-size:15px;margin:0 0 6px;font-weight:600}
main h3 span{font-weight:400;color:#62707f}.verdict{font-size:17px;max-width:72ch;margin:0 0 20px;padding-left:12px;border-left:4px solid}
.verdict.good{border-color:#0b7a4b}.verdict.bad{border-color:#b3261e}b.bad,tr.bad{color:#b3261e}
main section{background:#fff;border:1px solid #e3e8ee;border-radius:10px;padding:16px 20px;margin:0 0 16px}
.note{color:#62707f;margin:2px 0 10px;max-width:100ch}
.wide{overflow-x:auto}.wide svg{width:100%;max-width:640px;height:auto}.MuiTabs-indicator{background:#62707f!important}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:20px}
article svg{max-width:100%;height:auto}dl{display:grid;grid-template-columns:auto 1fr;gap:2px 12px;margin:0}dt{color:#62707f}dd{margin:0}
details{overflow-x:auto}[id^=root_metric]{min-width:640px}summary{cursor:pointer}summary span{color:#62707f}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
.wide th,.wide td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid #f0f3f6;white-space:nowrap}.wide th{font-size:12px;color:#62707f}
"""
