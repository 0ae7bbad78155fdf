"""The picture of a trial, as PNG bytes: what was said of the held-back weeks beside what came, and the error by segment."""

from collections.abc import Mapping, Sequence

from models.evaluation.plots import png

_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple")


def trial_plot(weeks: Sequence[str], units: Mapping[str, Sequence[float]], segments: Sequence[str], mape: Mapping[str, Sequence[float]]) -> bytes:
    """Plot units by week and MAPE by segment.

    Parameters
    ----------
    weeks, units
        The held-back weeks, and by model the sum of `expected` in each; `actual` is what came.
    segments, mape
        The segments, and by model the MAPE of each, NaN where there is none.
    """
    # Without pyplot: no global state, no display.
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = dict(zip(mape, _COLOURS, strict=False))
    for name, values in units.items():
        style = {"color": "0.15", "linewidth": 2.5} if name == "actual" else {"color": colours[name], "marker": "o", "markersize": 4}
        left.plot(weeks, values, label=name, **style)
    left.set(ylabel="units", ylim=(0, None))
    left.set_title("Demand of the held-back weeks, and what was expected")
    left.tick_params(axis="x", rotation=35)
    left.legend(frameon=False, fontsize="small")
    width = 0.8 / len(mape)
    for place, (name, values) in enumerate(mape.items()):
        bars = right.bar([at + place * width for at in range(len(segments))], values, width, label=name, color=colours[name])
        right.bar_label(bars, fmt="%.2f", fontsize="small", padding=2)
    right.set_xticks([at + width * (len(mape) - 1) / 2 for at in range(len(segments))], segments)
    right.set(ylabel="MAPE of rows with demand")
    right.margins(y=0.15)
    right.set_title("Error by segment")
    right.spines[["top", "right"]].set_visible(False)
    left.spines[["top", "right"]].set_visible(False)
    return png(figure, 90)
