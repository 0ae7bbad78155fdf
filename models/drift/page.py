"""The page of a region's week: verdict, ranking, and Evidently's comparison of each column (the only module that imports it).

Evidently is given what was judged, not rows: quantiles of each column's values, so a page tells nothing of a single store and stays small.
"""

import hashlib
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.score import DriftResult, Judged
from transforms.arrays import Floats64

if TYPE_CHECKING:
    import pandas as pd

SHARED_SCRIPT_CHARACTERS = 1_000_000
"""Scripts from this size on are libraries, the same on every page; smaller ones hold the page's own data."""
_QUANTILES = 400
RANKING = ("column", "of", "verdict", "distance", "drifts from", "p-value", "MAPE", "RMSE, units", "USD in the week", "compared with")
# Evidently writes texts into scripts as they are, so that a category could end the script; and its plots
# read some of HTML. Shown are the angle quotation marks that look alike.
_HARMLESS = str.maketrans({"<": "\u2039", ">": "\u203a", "\u2028": " ", "\u2029": " "})
_EVIDENTLY = {True: "jensenshannon", False: "wasserstein"}


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


def _compared_with(result: DriftResult, one: Judged) -> str:
    reference = f"season of {result.seasons(one)}" if one.basis == "season" else "half year before"
    return f"{reference}: {len(one.weeks)} week{'s' if len(one.weeks) > 1 else ''}"


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


def write_report(result: DriftResult, reports: Path) -> str:
    """Write the week's page and return its path below `reports`.

    The page opens offline. Evidently puts 3.5 MB of scripts into each page; they are moved to `assets/`, once for all pages, so a page is small.
    Evidently reports its use to its maker unless DO_NOT_TRACK is set: a process has it from its settings, as this room reads no environment.
    """
    import pandas as pd  # noqa: PLC0415 - heavy
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - 14 s of CPU, once for all regions of a run
    from evidently.metrics import ValueDrift  # noqa: PLC0415

    shown = [one for one in result.judged if one.edges is None or len(one.edges) > 1]
    definition = DataDefinition(
        numerical_columns=[one.column.name for one in shown if one.edges is not None],
        categorical_columns=[one.column.name for one in shown if one.edges is None],
    )
    frames = [pd.DataFrame({one.column.name: aggregated(one, shares) for one in shown}) for shares in ("current", "reference")]
    thresholds = [_shown_threshold(one, *(frame[one.column.name] for frame in frames)) for one in shown]
    metrics = [
        ValueDrift(column=one.column.name, method=_EVIDENTLY[one.edges is None], threshold=threshold)
        for one, threshold in zip(shown, thresholds, strict=True)
    ]
    with _plotly_as_it_comes():
        snapshot = Report(metrics).run(*[Dataset.from_pandas(frame, data_definition=definition) for frame in frames])
        drawn = snapshot.get_html_str(as_iframe=False)
    relative = Path("drift") / str(result.frames.region) / f"{result.frames.week}.html"
    target = reports / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    page = _with_shared_scripts(drawn, reports / "assets", depth=len(relative.parts) - 1)
    draft = target.with_suffix(".part")
    title = f"<title>Drift of {html.escape(str(result.frames.region))}, week of {result.frames.week}</title>"
    draft.write_text(page.replace("<head>", f"<head>{title}", 1).replace("<body>", f"<body>{_heading(result)}", 1), encoding="utf-8")
    draft.replace(target)
    return relative.as_posix()


@contextmanager
def _plotly_as_it_comes() -> Iterator[None]:
    """Draw plots by Plotly's own template: Streamlit, once a process has loaded it, sets one of placeholders that only its own pages can show."""
    from plotly import io  # noqa: PLC0415 - heavy

    before = io.templates.default
    io.templates.default = "plotly"
    try:
        yield
    finally:
        io.templates.default = before


def aggregated(one: Judged, which: str) -> "pd.Series[Any]":
    """A column of the week ('current') or of its reference, as _QUANTILES values that are spread as its shares say."""
    import pandas as pd  # noqa: PLC0415 - heavy

    shares = one.current if which == "current" else one.reference
    # In no order: Evidently draws values along their rows.
    at = np.random.default_rng(0).permutation((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    below = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])
    if one.edges is not None:
        return pd.Series(np.interp(at, *_steps(below, one.edges)))
    assert one.column.levels is not None  # noqa: S101 - texts have levels
    levels = np.asarray([str(level).translate(_HARMLESS) for level in one.column.levels], dtype=object)
    return pd.Series(levels[np.minimum(np.searchsorted(below[1:], at), len(shares) - 1)])


def _steps(below: Floats64, edges: Floats64) -> tuple[Floats64, Floats64]:
    """Borders at which the share below them has just risen or is about to."""
    rising = np.diff(below) > 0
    kept = np.append(False, rising) | np.append(rising, False)
    return below[kept], edges[kept]


def _shown_threshold(one: Judged, current: "pd.Series[Any]", reference: "pd.Series[Any]") -> float:
    """The threshold in the measure of Evidently, which norms by the reference's deviation alone: as far from its distance as ours is from ours."""
    ratio = one.threshold / one.score if one.score > 0 else np.inf
    # Drift of others lowers the threshold of a column.
    ratio = min(ratio, 0.95) if one.drifted else max(ratio, 1.05)
    return distance(current, reference) * ratio if one.score > 0 else one.threshold


def distance(current: "pd.Series[Any]", reference: "pd.Series[Any]") -> float:
    """Normed Wasserstein distance of numbers, Jensen-Shannon distance (natural logarithm) of texts, as Evidently has them."""
    import pandas as pd  # noqa: PLC0415 - heavy
    from scipy.spatial.distance import jensenshannon  # noqa: PLC0415
    from scipy.stats import wasserstein_distance  # noqa: PLC0415

    if not pd.api.types.is_numeric_dtype(reference):
        levels = sorted(set(current) | set(reference))
        shares = [series.value_counts(normalize=True).reindex(levels, fill_value=0).to_numpy() for series in (reference, current)]
        return float(np.nan_to_num(jensenshannon(*shares)))
    return float(wasserstein_distance(reference, current)) / max(float(np.std(reference.to_numpy())), 0.001)


def _with_shared_scripts(page: str, assets: Path, depth: int) -> str:
    def moved(match: re.Match[str]) -> str:
        script = match.group(2)
        if len(script) < SHARED_SCRIPT_CHARACTERS:
            return match.group(0)
        name = f"{hashlib.sha256(script.encode()).hexdigest()[:16]}.js"
        assets.mkdir(parents=True, exist_ok=True)
        if not (assets / name).exists():
            draft = assets / f".{name}.part"
            draft.write_text(script, encoding="utf-8")
            draft.replace(assets / name)
        return f'<script{match.group(1)} src="{"../" * depth}assets/{name}"></script>'

    return re.sub(r"<script([^>]*)>(.*?)</script>", moved, page, flags=re.DOTALL)


def _heading(result: DriftResult) -> str:
    frames = result.frames
    verdict, colour = ("Drift detected", "#b3261e") if result.drifted else ("No drift", "#1e7a34")
    head = "".join(f"<th>{name}</th>" for name in RANKING)
    rows = "".join(
        f"<tr style='color:{'#b3261e' if one.drifted else 'inherit'}'>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        for one, row in zip(result.judged, ranking(result), strict=True)
    )
    return (
        "<div style='font-family:sans-serif;margin:24px;max-width:1200px'>"
        f"<h1 style='font-size:22px'>{html.escape(str(frames.region))}, week {frames.week}: <span style='color:{colour}'>{verdict}</span></h1>"
        "<p>Each column is compared with the same season of past years; it has drifted when it is farther away than past weeks were from theirs. "
        "Ranked by what its drift is estimated to cost: the change of MAPE, RMSE and USD that goes with it.</p>"
        f"<ul>{''.join(f'<li>{html.escape(note)}</li>' for note in notes(result))}</ul>"
        f"<table style='border-collapse:collapse;font-size:14px' cellpadding='6'><thead><tr style='text-align:left'>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
