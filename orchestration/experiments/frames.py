"""Training rows as a pandas frame: one row for each series, origin and target week, with ids, weeks and segment before the features."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.training.trial import TrialRows
from transforms.features.recency import RECENT
from transforms.rows import Segment


def as_pandas(rows: TrialRows, segments: Sequence[Segment]) -> pd.DataFrame:
    """The rows of `segments`; the index is the position in `rows.frame`. What the columns mean is in `transforms.features.docs`."""
    at = np.flatnonzero(np.logical_or.reduce([rows.inside(segment) for segment in segments]))
    frame, back = rows.frame.take(at), rows.back[at]
    assert frame.demand is not None and frame.judged is not None  # noqa: S101, PT018 - for the type checker
    target = np.datetime64(rows.panel.last.monday, "ns") - back.astype("timedelta64[W]")
    codes = {name: pd.Categorical.from_codes(column.codes, pd.Index(column.levels).astype(str)) for name, column in frame.categorical.items()}
    about = {
        "store_id": codes.pop("store"),
        "product_id": codes.pop("product"),
        "format": rows.labels[frame.series],
        "mover": np.where(frame.fast, "fast", "slow"),
        "origin_week": target - frame.horizon.astype("timedelta64[W]"),
        "target_week": target,
        "demand": np.where(rows.held_back[at], frame.judged, frame.demand),
        "weight": frame.weight,
        "baseline": frame.baseline,
        "baseline_size": frame.baseline_size,
    }
    about["segment"] = np.char.add(np.char.add(about["format"].astype(np.str_), "-"), about["mover"])
    last = {f"last_size_{back + 1}": frame.recent[:, back] for back in range(RECENT)}
    return pd.DataFrame({**about, **codes, **dict(zip(frame.names, frame.numeric.T, strict=True)), **last}, index=at)
