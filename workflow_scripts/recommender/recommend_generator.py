"""Recommend with one trained generator: beam search over the prefix tree (Algorithm 1)."""

from pathlib import Path

import numpy as np

from lohrec.common import devices, job
from lohrec.data import examples as windows
from lohrec.evaluation import recommendations as lists
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import recommend
from lohrec.recommender.networks.t5 import T5


def main(
    model: str,
    sequences: str,
    examples: str,
    ids: str,
    recommendations: str,
    decoding: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write the lists of all dev and test users."""
    device, semantic = devices.acquire(cuda, threads), np.load(ids).astype(np.int64)
    tree = PrefixTree.from_ids(semantic).to(device)
    network = T5.load(Path(model).parent).to(device)
    tables = []
    for split in ("dev", "test"):
        users = windows.load(sequences, examples, split)
        leaf, score = recommend(network, users, semantic, tree, decoding, split)
        excluded = None
        if decoding["exclude_history"]:
            excluded = users.histories(np.arange(len(users)))
        tables.append(lists.from_leaves(split, users.user, leaf, score, tree, excluded))
    lists.write(recommendations, tables)


if __name__ == "__main__":
    job.run(main, snakemake)
