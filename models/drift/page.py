"""The page of a region's week: what `lead` makes, and folded below it Evidently's comparison of each column (the only module that imports it).

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

from models.drift.lead import lead
from models.drift.score import DriftResult, Judged
from models.evaluation.svg import BLUE, DIM, RED
from transforms.arrays import Floats64
from transforms.whole_files import write_whole

if TYPE_CHECKING:
    import pandas as pd

SHARED_SCRIPT_CHARACTERS = 1_000_000
"""Scripts from this size on are libraries, the same on every page; smaller ones hold the page's own data."""
_QUANTILES = 400
# Evidently writes texts into scripts as they are, so that a category could end the script; and its plots
# read some of HTML. Shown are the angle quotation marks that look alike.
_HARMLESS = str.maketrans({"<": "\u2039", ">": "\u203a", "\u2028": " ", "\u2029": " "})
# Plotly measures what it draws into, which has no width while it is folded.
_FOLD = (
    "<section><details ontoggle=\"window.dispatchEvent(new Event('resize'))\"><summary><h2>How each column is distributed</h2> "
    "<span>drawn by Evidently</span></summary>"
)
_EVIDENTLY = {True: "jensenshannon", False: "wasserstein"}


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
    with _plotly_as_it_comes(), _distributions_alone():
        snapshot = Report(metrics).run(*[Dataset.from_pandas(frame, data_definition=definition) for frame in frames])
        drawn = snapshot.get_html_str(as_iframe=False)
    relative = Path("drift") / str(result.frames.region) / f"{result.frames.week}.html"
    target = reports / relative
    page = _with_shared_scripts(drawn, reports / "assets", depth=len(relative.parts) - 1)
    title = f"<title>Drift of {html.escape(str(result.frames.region))}, week of {result.frames.week}</title>"
    page = page.replace("<head>", f"<head>{title}", 1).replace("<body>", f"<body>{lead(result)}{_FOLD}", 1)
    before, end, after = page.rpartition("</body>")
    write_whole(target, f"{before}</details></section></main>{end}{after}")
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


@contextmanager
def _distributions_alone() -> Iterator[None]:
    """Let Evidently draw of a column how it is distributed, in red where it drifted alone.

    Its other plot is of values in the order of rows, binned; a page is given quantiles, which have none.
    """
    from evidently.legacy.options import ColorOptions  # noqa: PLC0415 - heavy
    from evidently.metrics.column_statistics import ValueDriftCalculation  # noqa: PLC0415

    drawn = ValueDriftCalculation._render

    def render(self: Any, result: Any, options: Any, _: Any) -> Any:
        result.scatter = None
        colour = RED if result.drift_detected else BLUE
        return drawn(self, result, options, ColorOptions(primary_color=colour, current_data_color=colour, reference_data_color=DIM))

    ValueDriftCalculation._render = render
    try:
        yield
    finally:
        ValueDriftCalculation._render = drawn


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
        if not (assets / name).exists():
            write_whole(assets / name, script)
        return f'<script{match.group(1)} src="{"../" * depth}assets/{name}"></script>'

    return re.sub(r"<script([^>]*)>(.*?)</script>", moved, page, flags=re.DOTALL)
