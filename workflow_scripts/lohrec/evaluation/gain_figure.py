"""Forest plot: differences to the reference with their intervals, one panel a metric."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lohrec.evaluation.charts import STYLE, WIDTH
from lohrec.evaluation.tables import label

# Okabe and Ito's blue, vermilion and grey: told apart by colour-blind readers. Filled markers say
# the same as the colours, for print in grey.
GAIN, LOSS, UNSURE = "#0072B2", "#D55E00", "#666666"


def draw(path: str | Path, result: dict[str, Any], split: str, metrics: list[str]) -> None:
    """Write one split's differences in % as SVG; equal input gives an equal file.

    Args:
        path: where to.
        result: what comparison.json holds; see compare.py.
        split: "dev" or "test".
        metrics: one panel each.
    """
    reference, part = result["reference"], result["splits"][split]
    names = [name for name in part["variants"] if name != reference]
    with rc_context(STYLE):
        size = WIDTH, 1.0 + 0.25 * max(len(names), 2)  # inches
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for panel, metric in zip(panels, metrics, strict=True):
            for y, name in enumerate(names):
                gain = part["variants"][name]["metrics"][metric]
                if gain["relative"] is None:
                    continue
                mean, low, high = (100 * gain["relative"][key] for key in ("mean", "low", "high"))
                sure = gain["excludes_zero"]
                colour = (GAIN if mean > 0 else LOSS) if sure else UNSURE
                panel.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
                fill = colour if sure else "white"
                panel.plot(mean, y, "o", color=colour, markersize=5, markerfacecolor=fill)
            panel.axvline(0, color="black", linewidth=0.8)
            panel.grid(axis="y", visible=False)
            panel.xaxis.set_major_locator(MaxNLocator(4))
            panel.spines["left"].set_visible(False)
            panel.tick_params(axis="y", length=0)
            panel.set_title(label(metric))
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(max(len(names), 1) - 0.5, -0.5)
        figure.supxlabel(
            f"difference to {reference} in %, {result['level']:.0%} interval "
            "(filled: excludes zero)",
            fontsize=9,
        )
        figure.suptitle(f"{result['dataset']}, {split} set, {part['users']:,} users")
        figure.savefig(path, format="svg", metadata={"Date": None})
