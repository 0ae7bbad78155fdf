"""Distance to the limit: on the sample world, the ensembles' error beside that of an oracle that knows the true distribution.

By itself, on the root that `shelfcast demo` made: `python -m benchmarks.limit --root ROOT`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from models.evaluation.metrics import score_points
from models.evaluation.oracle import oracle
from models.evaluation.reliability import ScoredRows
from models.members.distribution import Points
from transforms.lake.database import open_database
from transforms.lake.tables import Lake

OURS, ORACLE = "ensemble", "oracle"


def limit(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; makes its own world
    """Make the demo's world and forecasts, and compare them with the truth."""
    root = scratch / "demo"
    subprocess.run([sys.executable, "-m", "orchestration", "demo", "--local", "--root", str(root)], check=True, stdout=subprocess.DEVNULL)
    return distance(root, Console(width=140))


def distance(root: Path, console: Console) -> list[dict[str, object]]:
    """Print the table and return its rows. Both are scored against true demand, which sold-out weeks do not cut."""
    forecasts, truth = Lake(str(root)).read("gold/forecasts"), root / "truth" / "demand.parquet"
    with open_database() as connection:
        connection.register("forecasts", forecasts)
        rows = connection.execute(
            f"""
            select f.mover, f.p_demand, f.size, f.expected, f.q10, f.q50, f.q90, f.q10_inside, f.q90_inside,
                t.demand, t.p_demand as true_chance, t.mean_log, t.sigma, t.case_pack
            from forecasts as f
            join read_parquet('{truth}') as t
                on t.region = f.region and t.store_id = f.store_id and t.product_id = f.product_id and t.week = f.target_week
            order by f.region, f.store_id, f.product_id, f.target_week
            """
        ).fetchnumpy()
    demand = rows["demand"].astype(np.float32)
    said = {
        OURS: Points(*(rows[name].astype(np.float32) for name in Points.__dataclass_fields__)),
        ORACLE: oracle(rows["true_chance"], rows["mean_log"], float(rows["sigma"][0]), rows["case_pack"]),
    }
    table = Table("rows", "metric", OURS, ORACLE, "ratio", title=f"Distance to the limit: {len(demand):,} rows of the sample world")
    results: list[dict[str, object]] = []
    for mover in ("all", "fast", "slow"):
        inside = np.full(len(demand), True) if mover == "all" else rows["mover"] == mover
        scores = {name: _scores(demand[inside], Points(*(values[inside] for values in vars(one).values()))) for name, one in said.items()}
        for metric, value in scores[OURS].items():
            best = scores[ORACLE][metric]
            table.add_row(mover, metric, f"{value:.4f}", f"{best:.4f}", f"{value / best:.3f}")
            if mover == "all" and metric in {"MAPE", "RMSE all"}:
                results.append(
                    {"name": f"limit: {metric} over the oracle's", "value": value / best, "unit": "ratio", "peer": ORACLE, "peer_value": 1.0}
                )
    console.print(table)
    return results


def _scores(demand: np.ndarray, said: Points) -> dict[str, float]:
    score, outcome = score_points(demand, said.size, said.expected), ScoredRows(demand, said)
    return {
        "MAPE": float(score.mape or np.nan),
        "RMSE all": float(score.rmse_all or np.nan),
        "pinball": outcome.pinball(),
        "share of the 80 % interval": outcome.interval_share(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="root that `shelfcast demo` made")
    given = parser.parse_args()
    record(distance(given.root, Console(width=140)), f"python -m benchmarks.limit --root {given.root.name}")


if __name__ == "__main__":
    main()
