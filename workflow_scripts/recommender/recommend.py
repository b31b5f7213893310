"""Lists of a fitted recommender for all dev and test users."""

from typing import Any

import numpy as np

from lohrec.common import devices, job
from lohrec.data.examples import read_examples
from lohrec.evaluation.recommendations import write
from lohrec.recommender.recommender import Recommender


def main(
    model: str,
    sequences: str,
    examples: str,
    recommendations: str,
    decoding: dict[str, Any],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Write recommendations.parquet.

    Args:
        model: recommender.json in the folder of the recommender.
        sequences, examples: sequences.npy, examples.parquet.
        recommendations: the table to write.
        decoding: the section `decoding`: how to search, and how long the lists are.
        cuda: GPUs to use.
        threads: of the CPU.
    """
    recommender = Recommender.load(model, devices.acquire(cuda, threads), decoding)
    tables = []
    for split in ("dev", "test"):
        users = read_examples(sequences, examples, split)
        histories = users.histories(np.arange(len(users)))
        lists = recommender.recommend(histories, decoding["top"], decoding["exclude_history"])
        tables.append(lists.table(split, users.user))
    write(recommendations, tables)


if __name__ == "__main__":
    job.run(main, snakemake)
