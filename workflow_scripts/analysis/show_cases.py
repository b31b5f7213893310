"""What single users have bought and what each variant lists for them (Tables 4 and 5)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.evaluation import cases, ranked_lists

SEED = 0  # of the draw of users


def main(
    recommendations: list[str],
    teacher: str,
    sequences: str,
    examples: str,
    catalogue: str,
    json: str,
    markdown: str,
    dataset: str,
    variants: list[str],
    taught_by: str,
    settings: dict,
) -> None:
    """Write cases.json and cases.md for test users drawn at random, not chosen for what they show.

    Args:
        recommendations: recommendations.parquet of each variant.
        teacher: recommendations.parquet of the teacher.
        sequences, examples, catalogue: sequences.npy, examples.parquet, items.parquet.
        json, markdown: the files to write.
        dataset: its name.
        variants: their names.
        taught_by: the teacher's name.
        settings: `cases`, how many users, and `cutoff`, places that are shown.
    """
    test = read_examples(sequences, examples, "test")
    names = cases.titles(catalogue)
    rows = np.random.default_rng(SEED).choice(
        len(test), min(settings["cases"], len(test)), replace=False
    )
    lists = {
        name: ranked_lists.read(path, "test", test.user, len(names))
        for name, path in zip([*variants, taught_by], [*recommendations, teacher], strict=True)
    }
    found = cases.chosen(test, rows, names, lists, taught_by, settings["cutoff"])
    artefacts.write_json(json, found)
    artefacts.write_text(markdown, cases.page(dataset, found, taught_by))


if __name__ == "__main__":
    job.run(main, snakemake)
