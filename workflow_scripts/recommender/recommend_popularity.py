"""Recommend the most popular items of the train split to every dev and test user."""

import numpy as np

from lohrec.common import job
from lohrec.data import examples as windows
from lohrec.evaluation import recommendations as lists
from lohrec.recommender.baselines import popularity


def main(sequences: str, examples: str, recommendations: str, decoding: dict) -> None:
    """Write recommendations.parquet; the score of an item is its count.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        recommendations: recommendations.parquet.
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
        tables.append(lists.from_items(split, loaded.user, items, counts[items]))
    lists.write(recommendations, tables)


if __name__ == "__main__":
    job.run(main, snakemake)
