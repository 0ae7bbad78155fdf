"""Pictures of how forecasts did, as PNG bytes: for asset pages, reports and benchmarks."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.reliability import ScoredRows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOMINAL, TOLERANCE = 0.80, 0.03


def calibration_plot(scored: Mapping[str, ScoredRows]) -> bytes:
    """Reliability of the probability of demand over all regions, and the share of the 80 % interval in each.

    Parameters
    ----------
    scored
        Rows by region; at least one region, and demand in each.
    """
    # Without pyplot: no global state, no display.
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(10, 0.9 + 0.24 * max(len(scored), 12)), layout="constrained")
    left, right = figure.subplots(1, 2)
    predicted, actual, count = ScoredRows.concat(list(scored.values())).reliability()
    left.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfect")
    left.plot(predicted, actual, marker="o", color="tab:blue", label=f"forecasts, {count.sum():,} rows in tenths")
    left.set(xlabel="probability of demand that was forecast", ylabel="share of rows with demand", xlim=(0, 1), ylim=(0, 1))
    left.set_title("Reliability of p_demand")
    left.legend(loc="upper left", frameon=False)
    share = {name: scored[name].interval_share() for name in sorted(scored, reverse=True)}
    names = [name for name, value in share.items() if not np.isnan(value)]
    covered = np.asarray([share[name] for name in names])
    within = np.abs(covered - NOMINAL) <= TOLERANCE
    right.axvspan(NOMINAL - TOLERANCE, NOMINAL + TOLERANCE, color="0.9")
    right.axvline(NOMINAL, color="0.6", linewidth=1)
    right.scatter(covered, names, color=np.where(within, "tab:blue", "tab:red"), zorder=3)
    right.set(xlabel="interval_share_80: 0.80 for any forecast that is right", xlim=(min([0.7, *covered - 0.02]), max([0.9, *covered + 0.02])))
    right.set_title("Share of what came that lies in the 80 % interval")
    return png(figure, 80)


def lift_plot(title: str, weeks: list[str], difference: list[float], low: list[float], high: list[float]) -> bytes:
    """How an A/B test stood at each look: the difference, and the interval that holds at all of them (NaN where it says nothing yet)."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axis = figure.subplots()
    axis.axhline(0, color="0.6", linewidth=1)
    axis.fill_between(weeks, low, high, color="tab:blue", alpha=0.2, label="interval that holds at every look")
    axis.plot(weeks, difference, marker="o", color="tab:blue", label="champion's less challenger's: above 0 the challenger is better")
    axis.set_title(title)
    axis.tick_params(axis="x", rotation=45)
    axis.legend(loc="best", frameon=False, fontsize="small")
    return png(figure, 110)


def png(figure: "Figure", dpi: int) -> bytes:
    """The picture of a figure; without metadata the same figures give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
