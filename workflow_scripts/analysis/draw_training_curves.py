"""Losses and accuracy as recommenders and their teacher are trained."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.evaluation import charts

MEASURES = {
    "loss": "Loss in training",
    "dev_loss": "Loss a codeword, dev set",
    "dev_ndcg@10": "NDCG@10, dev set",
}


def main(histories: list[str], figure: str, dataset: str, names: list[str]) -> None:
    """Write training.svg: a curve a model, with a mark where its best state is.

    Args:
        histories: history.parquet of each model.
        figure: the file to write.
        dataset: its name.
        names: of the models.
    """
    panels: dict[str, dict[str, tuple[list[float], list[float], int]]] = {}
    for name, path in zip(names, histories, strict=True):
        history = pq.read_table(path).to_pydict()
        best = history["kept"].index(True)
        print(f"{name}: step {history['step'][best]:,} of {history['step'][-1]:,} is the best")
        for measure, title in MEASURES.items():
            panels.setdefault(title, {})[name] = history["step"], history[measure], best
    with artefacts.whole(figure) as temporary:
        charts.curves(temporary, f"{dataset}, training", "step", panels)


if __name__ == "__main__":
    job.run(main, snakemake)
