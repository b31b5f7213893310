"""Accuracy and diversity of one recommender's lists for every user."""

import numpy as np
import pyarrow as pa

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.evaluation import diversity, metrics, ranked_lists
from lohrec.evaluation import per_user as user_metrics


def main(
    recommendations: str,
    sequences: str,
    examples: str,
    vectors: str,
    per_user: str,
    settings: dict,
) -> None:
    """Write per_user.parquet: split, user, one column a metric.

    Args:
        recommendations: recommendations.parquet.
        sequences: sequences.npy.
        examples: examples.parquet.
        vectors: .npy (items, d), the vectors that diversity is measured on.
        per_user: per_user.parquet.
        settings: `cutoffs`.
    """
    item_vectors = np.load(vectors, mmap_mode="r")
    cutoffs = settings["cutoffs"]
    tables = []
    for split in ("dev", "test"):
        loaded = read_examples(sequences, examples, split)
        lists = ranked_lists.read(recommendations, split, loaded.user, len(item_vectors))
        target = loaded.target[np.argsort(loaded.user)]
        figures = metrics.accuracy(lists, target, cutoffs)
        figures |= diversity.intra_list(lists, item_vectors, cutoffs)
        tables.append(user_metrics.table(split, lists.user, figures))
        short = np.count_nonzero(np.diff(lists.offset) < max(cutoffs))
        print(
            f"{split}: {len(lists.user):,} users, {short:,} with fewer than {max(cutoffs)} items, "
            f"{np.count_nonzero(lists.ties > 1):,} of {len(lists.item):,} rows tied"
        )
        for name, values in figures.items():
            print(f"  {name:14} {values.mean():.4f}")
    artefacts.write_parquet(per_user, pa.concat_tables(tables).unify_dictionaries())


if __name__ == "__main__":
    job.run(main, snakemake)
