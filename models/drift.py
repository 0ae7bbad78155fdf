"""Drift of a week's data against its reference: scores for gates by ourselves, pages by Evidently (the only module that imports it).

Numbers are compared by the Wasserstein distance over the reference's standard deviation, categories by the Jensen-Shannon distance. A single week
differs from a season by nature, so the threshold of a column is what its own past weeks reach: the 95 % quantile of each reference week against
the others, and never less than `LEAST_THRESHOLD`.
"""

import hashlib
import html
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from transforms.contracts.gold import DRIFT
from transforms.drift_frames import CATEGORICAL, DriftFrames

LEAST_THRESHOLD = 0.1
QUANTILE = 0.95
SHARED_SCRIPT_CHARACTERS = 1_000_000
"""Scripts from this size on are libraries, the same on every page; smaller ones hold the page's own data."""
METHODS = {True: "Jensen-Shannon distance", False: "Wasserstein distance (normed)"}
_EVIDENTLY = {True: "jensenshannon", False: "wasserstein"}


@dataclass(frozen=True)
class DriftResult:
    """Scores (rows of gold/drift), and whether the share of drifted columns reaches the limit."""

    scores: pa.Table
    share: float
    drifted: bool

    @property
    def columns(self) -> list[str]:
        """The columns that drifted."""
        return [row["column"] for row in self.scores.to_pylist() if row["drifted"]]


def score_drift(frames: DriftFrames, limit: float) -> DriftResult:
    """Score every column of `frames`; the week counts as drifted when at least `limit` of them did."""
    rows = []
    for column in frames.current.columns:
        threshold = max(LEAST_THRESHOLD, _usual(frames, column))
        score = distance(frames.current[column], frames.reference[column])
        rows.append(
            {
                "region": str(frames.region),
                "week": frames.week.monday,
                "column": column,
                "method": METHODS[column in CATEGORICAL],
                "score": score,
                "threshold": threshold,
                "drifted": score >= threshold,
            }
        )
    share = float(np.mean([row["drifted"] for row in rows])) if rows else 0.0
    return DriftResult(pa.Table.from_pylist(rows, schema=DRIFT.schema), share, share >= limit)


def distance(current: "pd.Series[Any]", reference: "pd.Series[Any]") -> float:
    """Normed Wasserstein distance of numbers, Jensen-Shannon distance (natural logarithm) of texts."""
    from scipy.spatial.distance import jensenshannon  # noqa: PLC0415 - heavy
    from scipy.stats import wasserstein_distance  # noqa: PLC0415

    current, reference = current.dropna(), reference.dropna()
    if not pd.api.types.is_numeric_dtype(reference):
        levels = sorted(set(current) | set(reference))
        shares = [series.value_counts(normalize=True).reindex(levels, fill_value=0).to_numpy() for series in (reference, current)]
        return float(np.nan_to_num(jensenshannon(*shares)))
    norm = max(float(np.std(reference.to_numpy())), 0.001)
    return float(wasserstein_distance(reference, current)) / norm


def write_report(frames: DriftFrames, result: DriftResult, reports: Path) -> str:
    """Write the week's page and return its path below `reports`.

    The page opens offline. Evidently puts 3.5 MB of scripts into each page; they are moved to `assets/`, once for all pages, so a page is small.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415 - 14 s of CPU, once for all regions of a run
    from evidently.metrics import ValueDrift  # noqa: PLC0415

    columns = list(frames.current.columns)
    thresholds = {row["column"]: row["threshold"] for row in result.scores.to_pylist()}
    definition = DataDefinition(
        numerical_columns=[name for name in columns if name not in CATEGORICAL],
        categorical_columns=[name for name in columns if name in CATEGORICAL],
    )
    metrics = [ValueDrift(column=name, method=_EVIDENTLY[name in CATEGORICAL], threshold=thresholds[name]) for name in columns]
    datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in (frames.current, frames.reference)]
    snapshot = Report(metrics).run(*datasets)
    relative = Path("drift") / str(frames.region) / f"{frames.week}.html"
    target = reports / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    page = _with_shared_scripts(snapshot.get_html_str(as_iframe=False), reports / "assets", depth=len(relative.parts) - 1)
    draft = target.with_suffix(".part")
    draft.write_text(page.replace("<body>", f"<body>{_heading(frames, result)}", 1), encoding="utf-8")
    draft.replace(target)
    return relative.as_posix()


def evidently_scores(current: pd.DataFrame, reference: pd.DataFrame) -> Mapping[str, float]:
    """Evidently's own scores by column, for the test that ours equal them."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.metrics import ValueDrift  # noqa: PLC0415

    categorical = [name for name in current.columns if not pd.api.types.is_numeric_dtype(current[name])]
    definition = DataDefinition(numerical_columns=[name for name in current.columns if name not in categorical], categorical_columns=categorical)
    metrics = [ValueDrift(column=name, method=_EVIDENTLY[name in categorical]) for name in current.columns]
    snapshot = Report(metrics).run(*[Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)])
    return {metric["config"]["column"]: float(metric["value"]) for metric in snapshot.dict()["metrics"]}


def _usual(frames: DriftFrames, column: str) -> float:
    """What past weeks of the reference reach against the others."""
    weeks = np.unique(frames.reference_week)
    if len(weeks) < 3:
        return LEAST_THRESHOLD
    values = frames.reference[column]
    reached = []
    for week in weeks:
        here = frames.reference_week == week
        if values[here].notna().any() and values[~here].notna().any():
            reached.append(distance(values[here], values[~here]))
    return float(np.quantile(reached, QUANTILE)) if reached else LEAST_THRESHOLD


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


def _heading(frames: DriftFrames, result: DriftResult) -> str:
    against = "the same season of past years" if frames.season else "the half year before"
    verdict = "Drift detected" if result.drifted else "No drift"
    colour = "#b3261e" if result.drifted else "#1e7a34"
    rows = "".join(
        f"<tr style='color:{'#b3261e' if row['drifted'] else 'inherit'}'><td>{html.escape(row['column'])}</td><td>{row['score']:.3f}</td>"
        f"<td>{row['threshold']:.3f}</td><td>{row['method']}</td><td>{'drifted' if row['drifted'] else 'as usual'}</td></tr>"
        for row in sorted(result.scores.to_pylist(), key=lambda row: -row["score"] / row["threshold"])
    )
    return (
        "<div style='font-family:sans-serif;margin:24px;max-width:900px'>"
        f"<h1 style='font-size:22px'>{html.escape(str(frames.region))}, week {frames.week}: <span style='color:{colour}'>{verdict}</span></h1>"
        f"<p>{len(frames.current):,} deliveries drawn from the week, compared with {len(frames.reference):,} of {against} "
        f"({len(np.unique(frames.reference_week))} weeks). A column has drifted when its distance reaches what its own past weeks reach.</p>"
        "<table style='border-collapse:collapse' cellpadding='6'><thead><tr style='text-align:left'><th>column</th><th>score</th>"
        f"<th>threshold</th><th>method</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
