"""Which segment a series is in: its store's format, split by cluster where the project asks for it. The mover is a column of each frame's rows."""

import numpy as np

from transforms.arrays import Bools, Texts
from transforms.clusters import Clusters, with_cluster
from transforms.contracts.bronze import FORMATS
from transforms.features.frame import Frame
from transforms.features.origin import ALIVE_WEEKS
from transforms.panel.panel import Panel


def series_formats(panel: Panel, clusters: Clusters | None) -> Texts:
    """Format label of each series, shape (series,): `large` or `small`, with clusters `large-high_income` and the like.

    Clusters follow from what is known of the stores at the panel's last week, and hold for all rows made from it: a training row of an earlier
    origin stands in the segment that its store is in now, so that segments have their whole history.
    """
    column = panel.store_text["format"]
    formats = np.where((column.levels == "large")[column.codes], "large", "small")
    if clusters is None:
        return formats[panel.store]
    alive = np.zeros(len(panel.stores), bool)
    alive[panel.store[(panel.shipped[:, -ALIVE_WEEKS:] > 0).any(axis=1)]] = True
    labels = formats.astype(object)
    for name in np.unique(formats):
        in_format = formats == name
        found = clusters.of(panel.store_number[clusters.by][in_format], alive[in_format])
        labels[in_format] = [with_cluster(str(name), str(cluster)) for cluster in found]
    return labels.astype(np.str_)[panel.store]


def segment_rows(frame: Frame, labels: Texts, format_: str, mover: str) -> Bools:
    """Which rows belong to a segment, shape (rows,); `labels` are the series' formats (`series_formats`)."""
    in_segment: Bools = (labels[frame.series] == format_) & (frame.fast == (mover == "fast"))
    return in_segment


def format_names(clusters: Clusters | None) -> tuple[str, ...]:
    """Every label that `series_formats` may give; with clusters the plain ones too, for formats that cannot be split."""
    parts = [with_cluster(format_, name) for format_ in FORMATS for name in clusters.names] if clusters else []
    return (*FORMATS, *parts)
