"""Figures of the analyses: lines, curves, bars and maps, a panel for each measure or model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import RcKeyType

from lohrec.common import artefacts

# Okabe and Ito's colours, told apart by colour-blind readers; markers say the same in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"]
MARKERS = "osD^vP*"
OTHERS = "#cccccc"
# Two columns of a paper, or the width of a page: nothing is scaled, so letters stay readable.
WIDTH = 7.2  # inches
STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "lohrec",
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}
# What would make a file of the same figure another one.
METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
}
DOTS = 200  # an inch of a PNG


def save(figure: Figure, paths: Sequence[str | Path]) -> None:
    """Write a figure once for each path, in the format of its ending."""
    for path in paths:
        ending = Path(path).suffix
        with artefacts.whole(path) as temporary:
            figure.savefig(temporary, format=ending[1:], dpi=DOTS, metadata=METADATA[ending])


def lines(
    paths: Sequence[str | Path],
    title: str,
    axis: str,
    x: list[int],
    panels: dict[str, dict[str, list[float]]],
) -> None:
    """A panel of lines for each measure; x is logarithmic.

    Args:
        panels: {measure: {name: values at x}}.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 2)
        for panel, (measure, series) in zip(axes, panels.items(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                panel.plot(x, values, label=name, **_line(number))
            panel.set_xscale("log")
            panel.set_xticks(x, map(str, x))
            panel.minorticks_off()
            panel.set_title(measure)
            panel.set_xlabel(axis)
        _legend(figure, axes[0])
        save(figure, paths)


def intervals(
    paths: Sequence[str | Path],
    title: str,
    ticks: list[str],
    panels: dict[str, dict[str, list[tuple[float, float, float]]]],
    marked: int,
) -> None:
    """A panel of lines for each measure, with a bar at each point; points are evenly spread.

    Args:
        panels: {measure: {name: (value, low end, high end) at each tick}}.
        marked: number of the tick with a line of its own.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 3)
        for panel, (measure, series) in zip(axes, panels.items(), strict=True):
            panel.axvline(marked, color=OTHERS, linewidth=4, zorder=0)
            for number, (name, points) in enumerate(series.items()):
                value, low, high = np.array(points).T
                bars = np.array([value - low, high - value]).clip(min=0)
                panel.errorbar(
                    range(len(ticks)), value, bars, label=name, capsize=2, **_line(number)
                )
            panel.set_xticks(range(len(ticks)), ticks)
            panel.margins(x=0.1)
            panel.set_title(measure)
        _legend(figure, axes[0])
        save(figure, paths)


def curves(
    paths: Sequence[str | Path],
    title: str,
    axis: str,
    panels: dict[str, dict[str, tuple[list[float], list[float], int]]],
) -> None:
    """A panel of curves for each measure, a mark on each curve.

    Args:
        panels: {measure: {name: (x, values at x, number of the marked one)}}.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 3)
        for panel, (measure, series) in zip(axes, panels.items(), strict=True):
            for number, (name, (x, values, marked)) in enumerate(series.items()):
                panel.plot(x, values, label=name, markevery=[marked], **_line(number))
            panel.set_title(measure)
            panel.set_xlabel(axis)
            panel.xaxis.set_major_locator(MaxNLocator(4))
        _legend(figure, axes[0])
        save(figure, paths)


def bars(
    paths: Sequence[str | Path], title: str, figures: dict[str, dict[str, dict[str, float]]]
) -> None:
    """A panel of bars for each measure, with intervals.

    Args:
        figures: {name: {measure: {"mean", "low", "high"}}}.
    """
    names = list(figures)
    measures = list(figures[names[0]])
    with rc_context(STYLE):
        figure, axes = _panels(title, len(measures), 2, 0.8 + 0.25 * len(names))
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
            panel.grid(axis="y", visible=False)
            panel.set_title(measure.capitalize())
        save(figure, paths)


def slices(
    paths: Sequence[str | Path],
    title: str,
    panels: dict[tuple[str, str], tuple[list[str], dict[str, list[float]]]],
) -> None:
    """A panel of lines for each pair of a measure and a way to slice.

    Args:
        panels: {(measure, way): (names of the slices, {name: values})}, measure by measure.
    """
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), 2)
        for panel, ((measure, way), (ticks, series)) in zip(axes, panels.items(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                panel.plot(range(len(ticks)), values, label=name, **_line(number))
            panel.set_xticks(range(len(ticks)), ticks)
            panel.margins(x=0.1)
            panel.set_ylim(bottom=0)
            panel.set_title(measure)
            panel.set_xlabel(way)
        _legend(figure, axes[0])
        save(figure, paths)


def scatter(
    paths: Sequence[str | Path],
    title: str,
    panels: dict[str, np.ndarray],
    group: list[str],
    names: list[str],
) -> None:
    """A map for each model, all in one frame.

    Args:
        panels: {model: (points, 2)}.
        group: of each point; those that are not among `names` are drawn in grey, below the others.
        names: groups with a colour, at most as many as there are colours.
    """
    points = np.concatenate(list(panels.values()))
    low, high = points.min(0), points.max(0)
    margin = 0.03 * (high - low)
    of_group = np.array(group)
    with rc_context(STYLE):
        figure, axes = _panels(title, len(panels), min(3, len(panels)), WIDTH / 3)
        for panel, (model, points) in zip(axes, panels.items(), strict=True):
            size = float(np.clip(3000 / len(points), 0.5, 8))
            for number, name in enumerate(["others", *names]):
                rows = of_group == name if number else ~np.isin(of_group, names)
                if not rows.any():
                    continue
                colour = COLOURS[number - 1] if number else OTHERS
                x, y = points[rows].T
                dots = panel.scatter(x, y, size, colour, label=name, linewidths=0)
                dots.set_rasterized(True)
            panel.set_xlim(low[0] - margin[0], high[0] + margin[0])
            panel.set_ylim(low[1] - margin[1], high[1] + margin[1])
            panel.set_title(model)
            panel.set_xticks([])
            panel.set_yticks([])
        _legend(figure, axes[0], markerscale=3)
        save(figure, paths)


def _line(number: int) -> dict[str, Any]:
    """Colour and marker of a name's line; another marker where the colours begin again."""
    marker = MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]
    return {"color": COLOURS[number % len(COLOURS)], "marker": marker}


def _legend(figure: Figure, panel: Axes, **how: Any) -> None:
    handles, labels = panel.get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": 4, "frameon": False}
    figure.legend(handles, labels, **place, **how)


def _panels(title: str, count: int, columns: int, height: float = 2.4) -> tuple[Figure, list[Axes]]:
    """A figure with some panels of a height in inches, `columns` a row."""
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, 0.8 + height * rows), layout="constrained")
    figure.suptitle(title)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in axes[count:]:
        panel.remove()
    return figure, axes[:count]
