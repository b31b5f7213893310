"""Coverage and Coordination of every variant's lists with the teacher's (4.6, Figure 4)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.evaluation import alignment, charts


def main(
    recommendations: list[str],
    teacher: str,
    sequences: str,
    examples: str,
    ids: str,
    json: str,
    markdown: str,
    figure: list[str],
    dataset: str,
    variants: list[str],
    taught_by: str,
    settings: dict,
) -> None:
    """Write alignment.json, alignment.md and the figure for the test users.

    Args:
        recommendations: recommendations.parquet of each variant.
        teacher: recommendations.parquet of the teacher.
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        json, markdown: the files to write.
        figure: the same figure in several formats.
        dataset: its name.
        variants: their names.
        taught_by: the teacher's name.
        settings: `top`, length of the lists, and `resamples` of the bootstrap over users.
    """
    top = settings["top"]
    users = read_examples(sequences, examples, "test").user
    items = len(np.load(ids, mmap_mode="r"))
    lists = {
        name: alignment.first_items(path, users, items, top)
        for name, path in zip(variants, recommendations, strict=True)
    }
    wanted = alignment.first_items(teacher, users, items, top)
    figures = alignment.against_teacher(lists, wanted, settings["resamples"])
    result = {"dataset": dataset, "teacher": taught_by, "users": len(users), "top": top}
    result["variants"] = figures
    page = alignment.page(result)
    print(page)
    artefacts.write_json(json, result)
    artefacts.write_text(markdown, page)
    title = f"{dataset}, against the top {top} of {taught_by}, {len(users):,} test users"
    charts.bars(figure, title, figures)


if __name__ == "__main__":
    job.run(main, snakemake)
