"""Series called ended on real deliveries: how many came back all the same, and what the historical average would have shipped to the others.

By itself: `python -m benchmarks.endings --root LAKE --origins 2021-10-04,2022-03-28`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from transforms.calendar import Region, Week
from transforms.features.origin import ALIVE_WEEKS
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.panel.endings import FOLLOWED, endings
from transforms.panel.panel import Panel

ORIGINS = ("2020-03-30", "2020-10-05", "2021-04-05", "2021-10-04", "2022-03-28")
WITHIN = (4, 8, FOLLOWED)


def endings_called(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; reads the lake that conditioning left
    """All regions of the lake."""
    lake = Lake(str(scratch / "lake"))
    return report(lake, [str(region) for region in regions(lake)], ORIGINS, Console(width=140))


def report(lake: Lake, chosen: Sequence[str], origins: Sequence[str], console: Console) -> list[dict[str, object]]:
    """Print a line for each origin, return the rows to record."""
    last = last_week(lake)
    assert last is not None
    panels = [Panel.load(lake, Region(name), last) for name in chosen]
    found = {origin: np.sum([_counts(full, Week.parse(origin)) for full in panels], axis=0) for origin in origins}
    table = Table(
        "origin", "series", "never again", "called ended", *(f"back in {weeks}" for weeks in WITHIN), "ever", "units a week", title="Called ended"
    )
    for origin, counts in found.items():
        table.add_row(origin, *(f"{count:,.0f}" for count in counts))
    console.print(table)
    called, back, units = (sum(counts[place] for counts in found.values()) for place in (2, 2 + len(WITHIN), -1))
    return [
        _row("endings: series called ended", int(called), "series", "never again", int(sum(counts[1] for counts in found.values()))),
        _row(f"endings: of them back within {FOLLOWED} weeks", back / max(called, 1), "fraction", "", ""),
        _row("endings: units that the historical average ships to them", float(units) / len(origins), "units a week", "", ""),
    ]


def _counts(full: Panel, origin: Week) -> np.ndarray:
    """Series alive, those without a later delivery, those called ended, of these the ones that came back in time or ever, their mean demand."""
    panel = full.until(origin)
    alive = np.flatnonzero((panel.shipped[:, -ALIVE_WEEKS:] > 0).any(axis=1)).astype(np.int32)
    ended = endings(panel, alive, np.ones(len(alive), np.int32)) != ""
    later = full.shipped[alive, panel.weeks :] > 0
    shipped = panel.shipped[alive]
    mean = shipped.sum(axis=1) / (panel.weeks - (shipped > 0).argmax(axis=1))
    back = [(later[:, :weeks].any(axis=1) & ended).sum() for weeks in (*WITHIN, later.shape[1])]
    return np.asarray([len(alive), (~later.any(axis=1)).sum(), ended.sum(), *back, mean[ended].sum()], np.float64)


def _row(name: str, value: object, unit: str, peer: str, peer_value: object) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="root of a lake with iowa_statewide conditioned")
    parser.add_argument("--regions", help="comma-separated; all where left out")
    parser.add_argument("--origins", default=",".join(ORIGINS))
    given = parser.parse_args()
    lake = Lake(given.root)
    chosen = given.regions.split(",") if given.regions else [str(region) for region in regions(lake)]
    rows = report(lake, chosen, given.origins.split(","), Console(width=140))
    record(rows, f"python -m benchmarks.endings --regions {','.join(chosen)} --origins {given.origins}")


if __name__ == "__main__":
    main()
