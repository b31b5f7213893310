"""Accuracy by the length of the history and by the popularity of the target."""

from lohrec.common import artefacts, job
from lohrec.evaluation import charts, tables
from lohrec.evaluation.report.accuracy import Accuracy
from lohrec.evaluation.report.slices import WAYS


def main(comparison: str, figure: list[str], dataset: str, cutoff: int) -> None:
    """Draw the test users' figures, those of baselines for the best one and the reference alone.

    Args:
        comparison: comparison.json.
        figure: the same figure in several formats.
        dataset: its name.
        cutoff: K of the metrics.
    """
    accuracy = Accuracy(artefacts.read_json(comparison), "test")
    shown = accuracy.shortened()
    panels = {}
    for metric in (f"recall@{cutoff}", f"ndcg@{cutoff}"):
        for way, title in WAYS.items():
            parts = accuracy.slices[way]
            ticks = [f"{heading}\n{part['users']:,}" for heading, part in parts.items()]
            series: dict[str, list[float]] = {}
            for part in parts.values():
                for name in shown:
                    mean = part["variants"][name][metric]["mean"]
                    series.setdefault(name, []).append(mean)
            panels[tables.label(metric), title] = ticks, series
    title = f"{dataset}, test set, {accuracy.users:,} users; below a slice: its users"
    charts.slices(figure, title, panels)


if __name__ == "__main__":
    job.run(main, snakemake)
