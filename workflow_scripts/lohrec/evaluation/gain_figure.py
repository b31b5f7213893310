"""Forest plot: differences to the reference with their intervals, one panel a metric."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lohrec.evaluation import charts
from lohrec.evaluation.recommendations import own_items
from lohrec.evaluation.tables import label

# Okabe and Ito's blue, vermilion and grey: told apart by colour-blind readers. Filled markers say
# the same as the colours, for print in grey.
GAIN, LOSS, UNSURE = "#0072B2", "#D55E00", "#666666"


def draw(paths: Sequence[str | Path], result: dict[str, Any], metrics: list[str]) -> None:
    """Draw the test set's differences in %; equal input gives an equal file.

    A row of panels is of the lists without a user's own items, another of those with them.

    Args:
        paths: where to, in the format of each ending.
        result: what comparison.json holds; see compare.py.
        metrics: one panel each.
    """
    reference = result["reference"]
    of_test = {split: part for split, part in result["splits"].items() if split != "dev"}
    names = [name for name in of_test["test"]["variants"] if name != reference]
    with rc_context(charts.STYLE):
        height = 0.3 + 0.16 * max(len(names), 3)
        size = charts.WIDTH, 0.6 + height * len(of_test)  # inches
        figure = Figure(figsize=size, layout="constrained")
        rows = figure.subplots(len(of_test), len(metrics), sharex="col", sharey=True, squeeze=False)
        for (split, part), panels in zip(of_test.items(), rows, strict=True):
            for panel, metric in zip(panels, metrics, strict=True):
                gains = [part["variants"][name]["metrics"][metric] for name in names]
                _draw_gains(panel, gains)
                panel.set_title(label(metric))
            panels[0].set_yticks(range(len(names)), names)
            panels[0].set_ylabel(f"own items\n{own_items(split, result)}")
        rows[0, 0].set_ylim(max(len(names), 1) - 0.5, -0.5)
        said = f"difference to {reference} in %, {result['level']:.0%} interval"
        figure.supxlabel(f"{said} (filled: excludes zero)", fontsize=7)
        users = of_test["test"]["users"]
        figure.suptitle(f"{result['dataset']}, test set, {users:,} users")
        charts.save(figure, paths)


def _draw_gains(panel: Axes, gains: list[dict[str, Any]]) -> None:
    for y, gain in enumerate(gains):
        if gain["relative"] is None:
            continue
        mean, low, high = (100 * gain["relative"][key] for key in ("mean", "low", "high"))
        sure = gain["excludes_zero"]
        colour = (GAIN if mean > 0 else LOSS) if sure else UNSURE
        panel.plot([low, high], [y, y], color=colour, linewidth=1.2, solid_capstyle="butt")
        fill = colour if sure else "white"
        panel.plot(mean, y, "o", color=colour, markersize=3.5, markerfacecolor=fill)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.grid(axis="y", visible=False)
    panel.xaxis.set_major_locator(MaxNLocator(3))
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)
