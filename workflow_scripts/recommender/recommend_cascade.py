"""Recommend in two stages: a retriever finds candidates, a ranker orders them (DTR, 3.2)."""

from pathlib import Path

import numpy as np

from lohrec.common import devices, job_log
from lohrec.data import examples
from lohrec.evaluation import recommendations
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import recommend
from lohrec.recommender.networks.t5 import T5


def main(retriever, ranker, sequences, examples_path, ids, output, decoding, device) -> None:
    """Write the lists of all dev and test users."""
    ids = np.load(ids).astype(np.int64)
    tree = PrefixTree.from_ids(ids).to(device)
    retriever = T5.load(Path(retriever).parent).to(device)
    ranker = T5.load(Path(ranker).parent).to(device)
    tables = []
    for split in ("dev", "test"):
        users = examples.load(sequences, examples_path, split)
        leaf, score = recommend(retriever, users, ids, tree, decoding, split, ranker)
        excluded = None
        if decoding["exclude_history"]:
            excluded = users.histories(np.arange(len(users)))
        tables.append(recommendations.from_leaves(split, users.user, leaf, score, tree, excluded))
    recommendations.write(output, tables)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.retriever,  # noqa: F821
            snakemake.input.ranker,  # noqa: F821
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.output.recommendations,  # noqa: F821
            snakemake.params.decoding,  # noqa: F821
            devices.acquire(snakemake.params.cuda, snakemake.threads),  # noqa: F821
        )
