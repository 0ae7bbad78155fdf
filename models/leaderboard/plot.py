"""Error by round as a picture: the ensemble and its members, with the best published result as a line."""

import pyarrow as pa

from models.evaluation.plots import png
from models.leaderboard.orange_juice import PUBLISHED


def rounds_plot(rows: pa.Table) -> bytes:
    """PNG of the measured rows of gold/leaderboard by round, reproduced ones left out."""
    # Without pyplot: no global state, no display.
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    measured = [row for row in rows.to_pylist() if row["round"] and "reproduced" not in row["model"]]
    for model in dict.fromkeys(row["model"] for row in measured):
        own = [row for row in measured if row["model"] == model]
        width, style = (1.0, ".:") if model.endswith("member") else (2.0, "o-")
        axes.plot([row["round"] for row in own], [row["mape"] for row in own], style, linewidth=width, label=model)
    axes.axhline(PUBLISHED["LightGBM"], color="0.5", linewidth=1, linestyle="--", label="LightGBM, all rounds, as published")
    axes.set(xlabel="round", ylabel="MAPE, %", ylim=(0, None), xticks=sorted({row["round"] for row in measured}))
    axes.set_title("Orange juice: error by round, median over seeds")
    axes.legend(frameon=False, fontsize="small", loc="lower right", ncols=2)
    return png(figure, 80)
