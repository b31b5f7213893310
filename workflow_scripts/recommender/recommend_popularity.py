"""Recommend the most popular items of the train split to every dev and test user."""

import numpy as np

from lohrec.common import job_log
from lohrec.data import examples as windows
from lohrec.evaluation import recommendations
from lohrec.recommender.baselines import popularity


def main(sequences: str, examples: str, output: str, decoding: dict) -> None:
    """Write recommendations.parquet; the score of an item is its count.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        output: recommendations.parquet.
        decoding: settings `top`, `exclude_history`.
    """
    train = windows.load(sequences, examples, "train")
    counts = popularity.train_counts(train, items=int(train.sequences.max()) + 1)
    print(f"{counts.sum():,} train interactions of {np.count_nonzero(counts):,} items")
    tables = []
    for split in ("dev", "test"):
        loaded = windows.load(sequences, examples, split)
        histories = loaded.histories(np.arange(len(loaded)))
        items = popularity.recommend(
            counts, histories, decoding["top"], decoding["exclude_history"]
        )
        tables.append(recommendations.from_items(split, loaded.user, items, counts[items]))
    recommendations.write(output, tables)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.output[0],  # noqa: F821
            snakemake.params.decoding,  # noqa: F821
        )
