"""Losses and accuracy as recommenders and their teacher are trained."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.evaluation import charts
from lohrec.recommender.recommender import curve

MEASURES = {
    "loss": "Loss in training",
    "dev_loss": "Loss a codeword, dev",
    "dev_ndcg@10": "NDCG@10, dev",
}


def main(
    models: list[str],
    teacher: list[str],
    statistics: str,
    figure: list[str],
    dataset: str,
    variants: list[str],
    dev_users: dict[str, int],
) -> None:
    """Draw a curve a model, with a mark where its best state is.

    Args:
        models: recommender.json of each variant.
        teacher: history.parquet of the teacher, or nothing.
        statistics: statistics.json of the dataset.
        figure: the same figure in several formats.
        dataset: its name.
        variants: their names.
        dev_users: how many users of the dev set `methods` and the `teacher` are measured on, at
            most.
    """
    curves = {name: curve(path) for name, path in zip(variants, models, strict=True)}
    if teacher:
        curves["teacher"] = pq.read_table(teacher[0]).to_pylist()
    panels: dict[str, dict[str, tuple[list[float], list[float], int]]] = {}
    for name, rows in curves.items():
        steps = [row["step"] for row in rows]
        best = [row["kept"] for row in rows].index(True)
        print(f"{name}: step {steps[best]:,} of {steps[-1]:,} is the best")
        for measure, title in MEASURES.items():
            panels.setdefault(title, {})[name] = steps, [row[measure] for row in rows], best
    there = artefacts.read_json(statistics)["dev"]
    users = {of: min(most, there) for of, most in dev_users.items()}
    title = f"{dataset}, training, {users['methods']:,} dev users"
    if teacher and users["teacher"] != users["methods"]:
        title += f", the teacher's {users['teacher']:,}"
    charts.curves(figure, title, "step", panels)


if __name__ == "__main__":
    job.run(main, snakemake)
