"""Figures of the analyses: lines, curves, bars and maps, a panel for each measure or model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import RcKeyType

from lohrec.common import artefacts

# Okabe and Ito's colours, told apart by colour-blind readers; markers say the same in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666"]
MARKERS = "osD^vP*"
DASHES = ("-", "--", ":")
OTHERS = "#cccccc"
# A column of a paper: nothing is scaled, so letters stay as large as they are.
WIDTH = 3.4  # inches
LETTERS = 62  # of a line of a title
LINE = 0.16  # inches, of a legend
STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "lohrec",
    "pdf.fonttype": 42,  # TrueType; many publishers refuse Type 3, the default
    "text.parse_math": False,  # names are people's, and "$5 & up, $10 & up" is no formula
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.titlepad": 3,
    "axes.linewidth": 0.6,
    "figure.titlesize": 7.5,
    "legend.handlelength": 1.5,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
}
# What would make a file of the same figure another one.
METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
}
DOTS = 300  # an inch of a PNG


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
    with _panels(paths, title, list(panels), [axis, axis]) as axes:
        for panel, series in zip(axes, panels.values(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                panel.plot(x, values, label=_listed(name), **_line(number))
            panel.set_xscale("log")
            panel.set_xticks(x, map(str, x))
            panel.minorticks_off()


def intervals(
    paths: Sequence[str | Path],
    title: str,
    axis: str,
    ticks: list[str],
    panels: dict[str, dict[str, list[tuple[float, float, float]]]],
    marked: int,
) -> None:
    """A panel of lines for each measure, with a bar at each point; points are evenly spread.

    Args:
        panels: {measure: {name: (value, low end, high end) at each tick}}.
        marked: number of the tick with a line of its own.
    """
    with _panels(paths, title, list(panels), [axis]) as axes:
        for panel, series in zip(axes, panels.values(), strict=True):
            panel.axvline(marked, color=OTHERS, linewidth=4, zorder=0)
            for number, (name, points) in enumerate(series.items()):
                value, low, high = np.array(points).T
                bars = np.array([value - low, high - value]).clip(min=0)
                x = np.arange(len(ticks)) + 0.08 * (number - (len(series) - 1) / 2)  # side by side
                panel.errorbar(x, value, bars, label=_listed(name), capsize=2, **_line(number))
            panel.set_xticks(range(len(ticks)), ticks)
            panel.margins(x=0.1)


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
    with _panels(paths, title, list(panels), [axis]) as axes:
        for panel, series in zip(axes, panels.values(), strict=True):
            for number, (name, (x, values, marked)) in enumerate(series.items()):
                panel.plot(x, values, label=_listed(name), markevery=[marked], **_line(number))
            panel.xaxis.set_major_locator(MaxNLocator(4))


def bars(
    paths: Sequence[str | Path], title: str, figures: dict[str, dict[str, dict[str, float]]]
) -> None:
    """A panel of bars for each measure, with intervals.

    Args:
        figures: {name: {measure: {"mean", "low", "high"}}}.
    """
    names = list(figures)
    measures = list(figures[names[0]])
    titles, height = [measure.capitalize() for measure in measures], 0.3 + 0.16 * len(names)
    with _panels(paths, title, titles, [""] * len(measures), height, True) as axes:
        for panel, measure in zip(axes, measures, strict=True):
            intervals = [figures[name][measure] for name in names]
            mean, low, high = (
                np.array([interval[key] for interval in intervals])
                for key in ("mean", "low", "high")
            )
            spread = np.array([mean - low, high - mean])
            spread = spread.clip(min=0)  # of few resamples the mean may lie outside
            panel.barh(names, mean, xerr=spread, color=COLOURS[0], ecolor="black", capsize=2)
            panel.grid(axis="y", visible=False)
            panel.xaxis.set_major_locator(MaxNLocator(4))
        axes[0].invert_yaxis()


def slices(
    paths: Sequence[str | Path],
    title: str,
    panels: dict[tuple[str, str], tuple[list[str], dict[str, list[float]]]],
) -> None:
    """A panel of lines for each pair of a measure and a way to slice.

    Args:
        panels: {(measure, way): (names of the slices, {name: values})}, measure by measure.
    """
    measures, ways = zip(*panels, strict=True)
    with _panels(paths, title, measures, list(dict.fromkeys(ways))) as axes:
        for panel, (ticks, series) in zip(axes, panels.values(), strict=True):
            for number, (name, values) in enumerate(series.items()):
                panel.plot(range(len(ticks)), values, label=_listed(name), **_line(number))
            panel.set_xticks(range(len(ticks)), ticks, fontsize=6)
            panel.margins(x=0.1)
            panel.set_ylim(bottom=0)


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
    columns = min(3, len(panels))
    with _panels(paths, title, list(panels), [""] * columns, 0.3 + WIDTH / columns) as axes:
        for panel, points in zip(axes, panels.values(), strict=True):
            size = float(np.clip(1500 / len(points), 0.3, 4))
            for number, name in enumerate(["others", *names]):
                rows = of_group == name if number else ~np.isin(of_group, names)
                if not rows.any():
                    continue
                colour = COLOURS[number - 1] if number else OTHERS
                x, y = points[rows].T
                dots = panel.scatter(x, y, size, colour, label=_listed(name), linewidths=0)
                dots.set_rasterized(True)
            panel.set_xlim(low[0] - margin[0], high[0] + margin[0])
            panel.set_ylim(low[1] - margin[1], high[1] + margin[1])
            panel.set_xticks([])
            panel.set_yticks([])


def _listed(name: str) -> str:
    """A name that a legend shows: matplotlib leaves out what begins with an underscore."""
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def _line(number: int) -> dict[str, Any]:
    """Colour and marker of a name's line; other markers, and dashes, where colours begin again."""
    again, place = divmod(number, len(COLOURS))
    marker = MARKERS[(number + again) % len(MARKERS)]
    return {"color": COLOURS[place], "marker": marker, "linestyle": DASHES[again % len(DASHES)]}


@contextmanager
def _panels(
    paths: Sequence[str | Path],
    title: str,
    titles: Sequence[str],
    x: Sequence[str],
    height: float = 1.25,
    share_y: bool = False,
) -> Iterator[list[Axes]]:
    """The panels of a figure, which is then given a legend and saved.

    Args:
        titles: of the panels.
        x: what the horizontal axis of each column of panels says.
        height: of a panel, in inches.
        share_y: whether panels of a row have the vertical axis alike, instead of those of a column
            the horizontal one.
    """
    rows, columns = -(-len(titles) // len(x)), len(x)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + height * rows), layout="constrained")
        figure.suptitle(fill(title, LETTERS))
        grid = figure.subplots(
            rows,
            columns,
            squeeze=False,
            sharex=False if share_y else "col",
            sharey="row" if share_y else False,
        )
        axes = list(grid.flat)
        for panel in axes[len(titles) :]:
            panel.remove()
        axes = axes[: len(titles)]
        yield axes
        for panel, said in zip(axes, titles, strict=True):
            panel.set_title(said)
        for panel, said in zip(axes[-columns:], x, strict=False):
            panel.set_xlabel(said)
        handles, names = axes[0].get_legend_handles_labels()
        if names:
            place: dict[str, Any] = {"loc": "outside lower center", "frameon": False}
            columns = 3 if max(map(len, names)) <= 16 else 2  # what a line has room for
            # Panels keep their height, however many names stand below them.
            more = max(0, -(-len(names) // columns) - 2)
            figure.set_figheight(figure.get_figheight() + LINE * more)
            legend = figure.legend(handles, names, ncols=columns, **place)
            for dots in legend.legend_handles:
                if isinstance(dots, PathCollection):
                    dots.set_sizes([12.0])
        save(figure, paths)
