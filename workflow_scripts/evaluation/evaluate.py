"""Accuracy and diversity of one recommender's lists for every user."""

import numpy as np
import pyarrow as pa

from lohrec.common import artefacts, job_log
from lohrec.data import examples as windows
from lohrec.evaluation import diversity, metrics, per_user, ranked_lists


def main(
    recommendations: str,
    sequences: str,
    examples: str,
    vectors: str,
    output: str,
    evaluation: dict,
) -> None:
    """Write per_user.parquet: split, user, one column a metric.

    Args:
        recommendations: recommendations.parquet.
        sequences: sequences.npy.
        examples: examples.parquet.
        vectors: .npy (items, d), the vectors that diversity is measured on.
        output: per_user.parquet.
        evaluation: settings `cutoffs`.
    """
    item_vectors = np.load(vectors, mmap_mode="r")
    cutoffs = evaluation["cutoffs"]
    tables = []
    for split in ("dev", "test"):
        loaded = windows.load(sequences, examples, split)
        lists = ranked_lists.read(recommendations, split, loaded.user, len(item_vectors))
        target = loaded.target[np.argsort(loaded.user)]
        figures = metrics.accuracy(lists, target, cutoffs)
        figures |= diversity.intra_list(lists, item_vectors, cutoffs)
        tables.append(per_user.table(split, lists.user, figures))
        short = np.count_nonzero(np.diff(lists.offset) < max(cutoffs))
        print(
            f"{split}: {len(lists.user):,} users, {short:,} with fewer than {max(cutoffs)} items, "
            f"{np.count_nonzero(lists.ties > 1):,} of {len(lists.item):,} rows tied"
        )
        for name, values in figures.items():
            print(f"  {name:14} {values.mean():.4f}")
    artefacts.write_parquet(output, pa.concat_tables(tables).unify_dictionaries())


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            snakemake.input.recommendations,  # noqa: F821
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.input.vectors,  # noqa: F821
            snakemake.output[0],  # noqa: F821
            snakemake.params.evaluation,  # noqa: F821
        )
