"""Accuracy by the length of the history and by the popularity of the target."""

from lohrec.common import artefacts, job
from lohrec.evaluation import charts, tables

WAYS = {"history": "items in the history", "popularity": "popularity of the target"}


def main(comparison: str, figure: str, dataset: str, cutoff: int) -> None:
    """Write slices.svg for the test users.

    Args:
        comparison: comparison.json.
        figure: the file to write.
        dataset: its name.
        cutoff: K of the metrics.
    """
    slices = artefacts.read_json(comparison)["splits"]["test"]["slices"]
    panels = {}
    for metric in (f"recall@{cutoff}", f"ndcg@{cutoff}"):
        for way, title in WAYS.items():
            parts = slices[way]
            ticks = [f"{heading}\n({part['users']:,})" for heading, part in parts.items()]
            series: dict[str, list[float]] = {}
            for part in parts.values():
                for name, figures in part["variants"].items():
                    series.setdefault(name, []).append(figures[metric]["mean"])
            panels[tables.label(metric), title] = ticks, series
    with artefacts.whole(figure) as temporary:
        charts.slices(temporary, f"{dataset}, test set, by slice (users)", panels)


if __name__ == "__main__":
    job.run(main, snakemake)
