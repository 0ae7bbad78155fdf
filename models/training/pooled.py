"""The pooled models: one ensemble for each format and mover over all regions, trained on a bounded sample of their rows.

They serve where a region has no champion that works: a region that has just joined, or one whose artifacts are damaged. Regions give their samples
one by one, so that no process holds more than one region.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.ensemble.segments import segment_rows, series_formats
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_ensemble
from transforms.contracts.gold import MOVERS
from transforms.features.build import training_frame
from transforms.features.frame import Frame
from transforms.panel.panel import Coded, Panel
from transforms.rows import Segment

Sample = Mapping[Segment, tuple[Frame, Frame]]
_WEEKS = 52


def sample_region(panel: Panel, spec: TrainingSpec, rows: int) -> Sample:
    """At most `rows` rows of each segment from the last year before the panel's end: those to learn from, and those of the held-back weeks."""
    panel = replace(panel, sold_out=spec.sold_out)
    frame, weeks_back = training_frame(panel, spec.horizons, min(spec.weeks, _WEEKS), spec.zeros_per_hit, spec.seed)
    rng = np.random.default_rng([spec.seed, zlib.crc32(str(panel.region).encode())])
    sample, labels = {}, series_formats(panel, spec.clusters)
    for segment in ((str(format_), mover) for format_ in np.unique(labels) for mover in MOVERS):
        chosen = np.flatnonzero(segment_rows(frame, labels, *segment))
        chosen = np.sort(rng.choice(chosen, min(rows, len(chosen)), replace=False))
        late = weeks_back[chosen] < spec.held_back
        sample[segment] = (frame.take(chosen[~late]), frame.take(chosen[late]))
    return sample


def train_pooled(samples: Sequence[Sample], spec: TrainingSpec) -> Iterator[Trained]:
    """Yield the ensemble of each format and mover that the samples have enough rows for."""
    for format_, mover in sorted({segment for sample in samples for segment in sample}):
        given = [sample[format_, mover] for sample in samples if (format_, mover) in sample]
        early, late = (unite([parts[part] for parts in given]) for part in (0, 1))
        trained = train_ensemble(format_, mover, early, late, spec)
        if trained is not None:
            yield trained


def unite(frames: Sequence[Frame]) -> Frame:
    """Stack frames of several panels: their categories get one list of levels."""
    levels = {name: np.unique(np.concatenate([frame.categorical[name].levels for frame in frames])) for name in frames[0].categorical}
    recoded = []
    for frame in frames:
        columns = {
            name: Coded(np.searchsorted(levels[name], column.levels)[column.codes].astype(np.int32), levels[name])
            for name, column in frame.categorical.items()
        }
        recoded.append(replace(frame, categorical=columns))
    return Frame.concat(recoded)
