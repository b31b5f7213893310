"""Figures of the analyses: lines, curves, bars and maps, a panel for each measure or model."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

# Okabe and Ito's colours, told apart by colour-blind readers; markers say the same in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"]
MARKERS = "osD^vP*"
STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "lohrec",
    "font.size": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
}


def lines(
    path: str | Path,
    title: str,
    axis: str,
    x: list[int],
    panels: dict[str, dict[str, list[float]]],
) -> None:
    """Write an SVG with a panel of lines for each measure; x is logarithmic.

    Args:
        panels: {measure: {name: values at x}}.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 2)
        for panel, (measure, series) in zip(axes, panels.items(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                # Another marker where the colours begin again.
                marker = MARKERS[(number + number // 7) % 7]
                colour = COLOURS[number % 7]
                panel.plot(x, values, label=name, color=colour, marker=marker)
            panel.set_xscale("log")
            panel.set_xticks(x, map(str, x))
            panel.minorticks_off()
            panel.grid(axis="y", color="#dddddd", linewidth=0.6)
            panel.set_title(measure, fontsize=12)
            panel.set_xlabel(axis)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def curves(
    path: str | Path,
    title: str,
    axis: str,
    panels: dict[str, dict[str, tuple[list[float], list[float], int]]],
) -> None:
    """Write an SVG with a panel of curves for each measure, a mark on each curve.

    Args:
        panels: {measure: {name: (x, values at x, number of the marked one)}}.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 1)
        for panel, (measure, series) in zip(axes, panels.items(), strict=True):
            for number, (name, (x, values, marked)) in enumerate(series.items()):
                marker = MARKERS[(number + number // 7) % 7]
                colour = COLOURS[number % 7]
                panel.plot(x, values, label=name, color=colour, marker=marker, markevery=[marked])
            panel.grid(axis="y", color="#dddddd", linewidth=0.6)
            panel.set_title(measure, fontsize=12)
            panel.set_xlabel(axis)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def bars(path: str | Path, title: str, figures: dict[str, dict[str, dict[str, float]]]) -> None:
    """Write an SVG with a panel of bars for each measure, with intervals.

    Args:
        figures: {name: {measure: {"mean", "low", "high"}}}.
    """
    names = list(figures)
    measures = list(figures[names[0]])
    with rc_context(STYLE):
        figure, axes = _panels(title, len(measures), 1)
        for panel, measure in zip(axes, measures, strict=True):
            intervals = [figures[name][measure] for name in names]
            mean, low, high = (
                np.array([interval[key] for interval in intervals])
                for key in ("mean", "low", "high")
            )
            spread = np.array([mean - low, high - mean])
            spread = spread.clip(min=0)  # of few resamples the mean may lie outside
            panel.barh(names, mean, xerr=spread, color=COLOURS[0], ecolor="black", capsize=3)
            panel.invert_yaxis()
            panel.grid(axis="x", color="#dddddd", linewidth=0.6)
            panel.set_axisbelow(True)
            panel.set_title(measure.capitalize(), fontsize=12)
        figure.savefig(path, format="svg", metadata={"Date": None})


def slices(
    path: str | Path,
    title: str,
    panels: dict[tuple[str, str], tuple[list[str], dict[str, list[float]]]],
) -> None:
    """Write an SVG with a panel of lines for each pair of a measure and a way to slice.

    Args:
        panels: {(measure, way): (names of the slices, {name: values})}, measure by measure.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), len({measure for measure, _ in panels}))
        for panel, ((measure, way), (ticks, series)) in zip(axes, panels.items(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                marker = MARKERS[(number + number // 7) % 7]
                colour = COLOURS[number % 7]
                panel.plot(range(len(ticks)), values, label=name, color=colour, marker=marker)
            panel.set_xticks(range(len(ticks)), ticks)
            panel.margins(x=0.1)
            panel.set_ylim(bottom=0)
            panel.grid(axis="y", color="#dddddd", linewidth=0.6)
            panel.set_title(measure, fontsize=12)
            panel.set_xlabel(way)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def scatter(path: str | Path, title: str, panels: dict[str, np.ndarray], group: np.ndarray) -> None:
    """Write a PNG with a map for each model, all on one scale.

    Args:
        panels: {model: (points, 2)}.
        group: int (points,), which decides a point's colour.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), -(-len(panels) // 3))
        for panel, (name, points) in zip(axes, panels.items(), strict=False):
            size = np.clip(5000 / len(points), 1, 12)
            x, y = points.T
            panel.scatter(x, y, c=group, cmap="hsv", s=size, linewidths=0)
            panel.set_title(name, fontsize=11)
            panel.set_xticks([])
            panel.set_yticks([])
            panel.sharex(axes[0])
            panel.sharey(axes[0])
        for panel in axes[len(panels) :]:
            panel.remove()
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


def _panels(title: str, count: int, rows: int) -> tuple[Figure, list[Axes]]:
    columns = -(-count // rows)
    figure = Figure(figsize=(1 + 3.6 * columns, 1 + 3 * rows), layout="constrained")
    figure.suptitle(title, fontsize=12)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)
