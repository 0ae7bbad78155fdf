"""The public orange-juice benchmark: the ensemble of production beside the published results. Data: `orange_juice` in the benchmarks' data folder.

`python -m benchmarks.leaderboard` runs it alone; with `--validate` it runs the rounds before the first test week, on which settings are chosen.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.leaderboard.orange_juice import LIGHTGBM_SECONDS, PUBLISHED, ROUNDS, load_orange_juice
from models.leaderboard.run import ENSEMBLE, SEEDS, VALIDATION, board, run_rounds


def leaderboard(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all
    """MAPE and seconds of the measured rows; nothing where the data are absent."""
    folder, console = source.parent / "orange_juice", Console(width=140)
    if not folder.is_dir():
        console.print(f"leaderboard skipped: {folder} does not exist.")
        return []
    rows = [row for row in board(run_rounds(load_orange_juice(folder)), console.print).to_pylist() if row["round"] == 0]
    table = Table("model", "source", "MAPE %", "seconds", title="Orange juice, 12 published rounds, median of 5 seeds")
    for row in sorted(rows, key=lambda row: row["mape"]):
        table.add_row(row["model"], row["source"], f"{row['mape']:.2f}", "" if row["seconds"] is None else f"{row['seconds']:.0f}")
    console.print(table)
    own = next(row for row in rows if row["model"] == ENSEMBLE)
    peer = "LightGBM as published"
    return [
        {"name": "leaderboard: orange juice, MAPE", "value": own["mape"], "unit": "%", "peer": peer, "peer_value": PUBLISHED["LightGBM"]},
        {
            "name": "leaderboard: orange juice, 12 rounds x 5 seeds",
            "value": own["seconds"],
            "unit": "s",
            "peer": peer,
            "peer_value": LIGHTGBM_SECONDS,
        },
        *(
            {"name": f"leaderboard: {row['model']}, MAPE", "value": row["mape"], "unit": "%", "peer": "published", "peer_value": PUBLISHED[name]}
            for row in rows
            if (name := str(row["model"]).removesuffix(" (reproduced)")) in PUBLISHED and row["source"] == "measured"
        ),
    ]


if __name__ == "__main__":
    from benchmarks.__main__ import DATA

    chosen = VALIDATION if "--validate" in sys.argv else ROUNDS
    for line in board(run_rounds(load_orange_juice(DATA / "orange_juice"), SEEDS, chosen), print).to_pylist():
        if line["source"] == "measured":
            print(f"{line['model']:24} round {line['round']:2}  {line['mape']:7.2f} %  {line['seconds']:7.1f} s")
