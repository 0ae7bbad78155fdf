"""How often A/B tests of two arms that are the same tell them apart, on real deliveries: at every weekly look, beside an ordinary test.

`python -m benchmarks.ab_tests --root LAKE`: errors by store and week are those of the mean of the last 26 deliveries, which no model of ours changes.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from benchmarks.recording import record
from models.evaluation.ab_test import lift, pair_stores, treated_stores
from transforms.arrays import Floats64
from transforms.calendar import Region
from transforms.lake.tables import Lake
from transforms.landing import regions

ALPHA, LOOKS, DRAWS, THROWS = 0.05, 26, 400, 2_000
LIFT = 0.05
"""Share of the errors that the better challenger takes off, for the power."""


def false_alarms(lake: Lake, names: list[Region], console: Console) -> list[dict[str, object]]:
    """Share of draws in which arms that are the same are told apart at any look, and in which a challenger that is better is found."""
    table = Table(
        "design", "false alarms, every look", "an ordinary t-test", f"finds {LIFT:.0%} less error", title=f"{DRAWS} draws, {LOOKS} weekly looks"
    )
    rows: list[dict[str, object]] = []
    panels = [panel for panel in (_errors(lake, name) for name in names) if panel[1].shape[1] > LOOKS]
    for mode in ("split", "interleave"):
        alarms, naive, found = (np.mean(values) for values in zip(*(_draw(panels, mode, draw) for draw in range(DRAWS)), strict=True))
        table.add_row(mode, f"{alarms:.1%}", f"{naive:.1%}", f"{found:.1%}")
        peer = "t-test at every look"
        rows.append({"name": f"A/A: false alarms, {mode}", "value": float(alarms), "unit": "share", "peer": peer, "peer_value": float(naive)})
        rows.append({"name": f"A/B: {LIFT:.0%} less error is found, {mode}", "value": float(found), "unit": "share", "peer": "", "peer_value": ""})
    console.print(table)
    return rows


def _draw(panels: list[tuple[list[str], Floats64]], mode: str, draw: int) -> tuple[bool, bool, bool]:
    rng = np.random.default_rng(draw)
    stores, errors = panels[draw % len(panels)]
    start = int(rng.integers(0, errors.shape[1] - LOOKS))
    window = errors[:, start : start + LOOKS]
    pairs = pair_stores(stores, ["all"] * len(stores), np.nan_to_num(errors[:, : start + 1]).mean(axis=1), 0.5, draw)
    row = {store: index for index, store in enumerate(stores)}
    same, better = (np.full((len(pairs), LOOKS), np.nan) for _ in range(2))
    for week in range(LOOKS):
        treated = treated_stores(pairs, mode, week, draw)
        one, other = (np.asarray([row[pair[int((pair[0] in treated) != first)]] for pair in pairs]) for first in (True, False))
        same[:, week] = window[other, week] - window[one, week]
        better[:, week] = window[other, week] - (1 - LIFT) * window[one, week]
    looks = range(1, LOOKS + 1)
    told = any(lift(same[:, :look], mode, ALPHA, LOOKS, THROWS).verdict != "undecided" for look in looks)
    found = any(lift(better[:, :look], mode, ALPHA, LOOKS, THROWS).verdict == "better" for look in looks)
    return told, any(_ordinary(same[:, :look]) for look in looks), found


def _ordinary(values: Floats64) -> bool:
    known = values[np.isfinite(values)]
    return bool(abs(known.mean()) > student.ppf(1 - ALPHA / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))


def _errors(lake: Lake, region: Region) -> tuple[list[str], Floats64]:
    """Stores and their mean absolute percentage errors, shape (stores, weeks)."""
    rows = lake.query(
        f"""
        with said as (
            select store_id, week, demand, avg(demand) over (
                partition by store_id, product_id order by week rows between 26 preceding and 1 preceding
            ) as size
            from t where region = '{region}' and demand > 0
        )
        select store_id, week, avg(abs(demand - size) / demand) as error from said where size is not null group by all order by store_id, week
        """,
        t="gold/demand",
    )
    stores, row = np.unique(np.asarray(rows["store_id"].to_pylist(), np.str_), return_inverse=True)
    weeks, column = np.unique(rows["week"].to_numpy(), return_inverse=True)
    errors = np.full((len(stores), len(weeks)), np.nan)
    errors[row, column] = rows["error"].to_numpy()
    return list(map(str, stores)), errors


def ab_tests(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; reads the lake that conditioning left
    """All regions of the lake."""
    lake = Lake(str(scratch / "lake"))
    return false_alarms(lake, list(regions(lake)), Console(width=140))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="lake with real deliveries")
    lake = Lake(str(parser.parse_args().root))
    record(false_alarms(lake, list(regions(lake)), Console(width=140)), "python -m benchmarks.ab_tests")


if __name__ == "__main__":
    main()
