"""Recommend with the teacher itself, for dev and test users."""

from pathlib import Path

import numpy as np

from lohrec.common import devices, job
from lohrec.data import examples as windows
from lohrec.evaluation import recommendations as lists
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts
from lohrec.teacher.decoding import best_leaves


def main(
    sequences: str,
    examples: str,
    ids: str,
    model: str,
    recommendations: str,
    decoding: dict,
    settings: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Write recommendations.parquet; items that share an identifier share its rank.

    Args:
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        model: model.safetensors of the teacher.
        recommendations: recommendations.parquet.
        decoding: settings `beams`, `top`, `batch_size`, `exclude_history`, `renormalise`.
        settings: `constrained`, whether the prefix tree forbids identifiers of no item. Without it
            they take beams and are left out of the lists, which so end early.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device, constrained = devices.acquire(cuda, threads), settings["constrained"]
    semantic = np.load(ids)
    network = teacher.load(Path(model).parent, device)
    words = prompts.words(Path(model).parent)
    tree = PrefixTree.from_ids(semantic).to(device)
    tables = []
    for split in ("dev", "test"):
        users = windows.load(sequences, examples, split)
        items = users.histories(np.arange(len(users)))
        leaf, score = best_leaves(
            network, words, items, users.length, semantic, tree, decoding, constrained, split
        )
        without = None
        if decoding["exclude_history"]:
            # Where nothing else is left, a list holds an item of the history all the same.
            without = np.where(np.isneginf(score[:, :1].numpy()), -1, items)
        tables.append(lists.from_leaves(split, users.user, leaf, score, tree, without))
    lists.write(recommendations, tables)


if __name__ == "__main__":
    job.run(main, snakemake)
