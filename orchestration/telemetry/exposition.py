"""Measurements in Prometheus' form, read anew only where what they are read from has changed."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as Exposed

from orchestration.telemetry.families import Collector, Family
from orchestration.telemetry.forecasting import FORECASTING
from orchestration.telemetry.operations import OPERATIONS
from transforms.lake.tables import Lake

MOST_SERIES = 2_000
"""Series of a family that are exposed, the first by their labels: a foreign name in each run must not fill a server's memory."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reading:
    state: object
    families: list[Family] | None


class LakeMeasurements(Exposed):
    """The measurements of a lake. A scrape asks whether tables and files are as they were; what was read from the same before is exposed again.

    A part that cannot be read is left out, never exposed as it was before: `shelfcast_collector_success` tells so, and the log why.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake, self._kept, self._turn = lake, dict[str, _Reading](), threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """All families, in Prometheus' classes."""
        success: list[tuple[tuple[str, ...], bool]] = []
        left_out: list[tuple[tuple[str, ...], int]] = []
        # Two scrapes at once would read the same.
        with self._turn:
            readings = {collector.name: self._read(collector) for collector in (*FORECASTING, *OPERATIONS)}
        for name, families in readings.items():
            success.append(((name,), families is not None))
            for family in families or []:
                left_out.append(((family.name,), max(len(family.rows) - MOST_SERIES, 0)))
                yield _exposed(family)
        yield _exposed(Family("shelfcast_collector_success", "1 where the part of the measurements could be read.", ("collector",), success))
        rest = [row for row in left_out if row[1]]
        yield _exposed(Family("shelfcast_series_left_out", f"Series of a family beyond the first {MOST_SERIES}.", ("family",), rest))

    def _read(self, collector: Collector) -> list[Family] | None:
        kept = self._kept.get(collector.name)
        try:
            state = collector.state(self._lake)
            if kept is not None and kept.families is not None and kept.state == state:
                return kept.families
            found = _Reading(state, collector.read(self._lake))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are exposed
            if kept is None or kept.families is not None:
                _LOG.error("Measurements of %s cannot be read: %s: %s", collector.name, type(error).__name__, error)
            found = _Reading(None, None)
        self._kept[collector.name] = found
        return found.families


def _exposed(family: Family) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in sorted(family.rows, key=lambda row: row[0])[:MOST_SERIES]:
        metric.add_metric(labels, float(value))
    return metric
