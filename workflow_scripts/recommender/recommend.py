"""Lists of a fitted recommender for all dev and test users."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from lohrec.common import devices, job
from lohrec.data.examples import first_items, read_examples
from lohrec.data.sequences import leaves_out
from lohrec.evaluation.recommendations import OTHER, write
from lohrec.recommender.recommender import Recommender

USERS = 2**16  # whose lists are in memory at once


def main(
    model: str,
    sequences: str,
    examples: str,
    statistics: str,
    recommendations: str,
    decoding: dict[str, Any],
    batch_size: int,
    cuda: dict[str, Any],
    threads: int,
    both: bool = False,
) -> None:
    """Write recommendations.parquet.

    Args:
        model: recommender.json in the folder of the recommender.
        sequences, examples: sequences.npy, examples.parquet.
        statistics: statistics.json of the dataset.
        recommendations: the table to write.
        decoding: of the section `decoding` how to search, and how long the lists are.
        batch_size: users that are decoded at once.
        cuda: GPUs to use.
        threads: of the CPU.
        both: whether test users get lists too that treat the items of a history the other way.
    """
    excluded = leaves_out(decoding["exclude_history"], statistics)
    search = decoding | {"batch_size": batch_size}
    recommender = Recommender.load(model, devices.acquire(cuda, threads), search)
    wanted = [("dev", "dev", excluded), ("test", "test", excluded)]
    wanted += [(OTHER[excluded], "test", not excluded)] if both else []
    first = first_items(read_examples(sequences, examples, "test").stop)
    items = np.load(sequences)

    def tables() -> Iterator[pa.Table]:
        for name, split, without in wanted:
            users = read_examples(sequences, examples, split)
            for begin in range(0, len(users), USERS):
                rows = slice(begin, begin + USERS)
                # Whole histories: the last items are read, and older ones may have to be left out.
                ends = zip(first[rows], users.stop[rows], strict=True)
                histories = [items[low:high] for low, high in ends]
                lists = recommender.recommend(histories, decoding["top"], without)
                yield lists.table(name, users.user[rows])

    write(recommendations, tables())


if __name__ == "__main__":
    job.run(main, snakemake)
