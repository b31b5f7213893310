"""Forest plot: differences to the reference with their intervals, one panel a metric."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lohrec.evaluation import charts, comparison_page
from lohrec.evaluation.recommendations import own_items
from lohrec.evaluation.tables import label

# Okabe and Ito's blue, vermilion and grey: told apart by colour-blind readers. Filled markers say
# the same as the colours, for print in grey.
GAIN, LOSS, UNSURE = "#0072B2", "#D55E00", "#666666"
SMALL, LETTERS = 6.5, 66  # points of what stands below, and letters of a line of it


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
    said = _said(result, of_test, metrics)
    with rc_context(charts.STYLE):
        height = 0.3 + 0.16 * max(len(names), 3)
        lines = charts.LINE * said.count("\n")
        size = charts.WIDTH, 0.6 + height * len(of_test) + lines  # inches
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
        figure.supxlabel(said, fontsize=SMALL)
        users = of_test["test"]["users"]
        figure.suptitle(f"{result['dataset']}, test set, {users:,} users")
        charts.save(figure, paths)


def _said(result: dict[str, Any], splits: dict[str, Any], metrics: list[str]) -> str:
    """What markers and intervals mean, in lines as long as the figure is wide."""
    reference, variants = result["reference"], splits["test"]["variants"]
    alone = all(variant["seeds"] == 1 for variant in variants.values())
    over = "users alone, for each has one seed" if alone else "users and seeds"
    lines = [
        f"difference to {reference} in %",
        f"{result['level']:.0%} interval over {over}",
        "filled: excludes zero, not corrected for the number of comparisons",
        *comparison_page.about_seeds(variants, reference, []),
    ]
    every = [of for part in splits.values() for n, of in part["variants"].items() if n != reference]
    if any(of["metrics"][metric]["relative"] is None for of in every for metric in metrics):
        lines.append(f"n/a: {reference}'s own figure may be zero")
    return "\n".join(fill(line, LETTERS) for line in lines)


def _draw_gains(panel: Axes, gains: list[dict[str, Any]]) -> None:
    for y, gain in enumerate(gains):
        if gain["relative"] is None:
            place: dict[str, Any] = {"ha": "center", "va": "center"}
            panel.text(0.5, y, "n/a", transform=panel.get_yaxis_transform(), **place)
            continue
        mean, low, high = (100 * gain["relative"][key] for key in ("mean", "low", "high"))
        sure = gain["excludes_zero"]
        colour = (GAIN if mean > 0 else LOSS) if sure else UNSURE
        panel.plot([low, high], [y, y], color=colour, linewidth=1.2, solid_capstyle="butt")
        inside = colour if sure else "white"
        panel.plot(mean, y, "o", color=colour, markersize=3.5, markerfacecolor=inside)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.grid(axis="y", visible=False)
    panel.xaxis.set_major_locator(MaxNLocator(3))
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)
