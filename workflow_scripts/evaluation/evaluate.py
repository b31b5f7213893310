"""Accuracy and diversity of one recommender's lists for every user, and which items they show."""

import numpy as np
import pyarrow as pa

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.evaluation import diversity, metrics, ranked_lists, tables
from lohrec.evaluation import exposure as item_metrics
from lohrec.evaluation import per_user as user_metrics
from lohrec.evaluation.recommendations import splits


def main(
    recommendations: str,
    sequences: str,
    examples: str,
    vectors: str,
    per_user: str,
    exposure: str,
    settings: dict,
) -> None:
    """Write per_user.parquet (split, user, one column a metric) and exposure.json.

    Args:
        recommendations: recommendations.parquet.
        sequences: sequences.npy.
        examples: examples.parquet.
        vectors: .npy (items, d), the vectors that diversity is measured on.
        per_user: per_user.parquet.
        exposure: exposure.json: for each split what `exposure.exposure` finds.
        settings: `cutoffs`, and `top`, the length of lists that MRR looks at.

    Raises:
        ValueError: lists are no lists of items, or figures contradict each other.
    """
    item_vectors = np.load(vectors, mmap_mode="r")
    cutoffs = settings["cutoffs"]
    parts, shown = [], {}
    for split in splits(recommendations):
        loaded = read_examples(sequences, examples, split.partition("_")[0])
        lists = ranked_lists.read(recommendations, split, loaded.user, len(item_vectors))
        target = loaded.target[np.argsort(loaded.user)]
        figures = metrics.accuracy(lists, target, cutoffs)
        figures |= metrics.reciprocal_rank(lists, target, settings["top"])
        figures |= diversity.intra_list(lists, item_vectors, cutoffs)
        means = {name: float(values.mean()) for name, values in figures.items()}
        tables.check(means, f"{recommendations}, {split}")
        shown[split] = item_metrics.exposure(lists, len(item_vectors), cutoffs)
        parts.append(user_metrics.table(split, lists.user, figures))
        short = np.count_nonzero(np.diff(lists.offset) < max(cutoffs))
        print(
            f"{split}: {len(lists.user):,} users, {short:,} with fewer than {max(cutoffs)} items, "
            f"{np.count_nonzero(lists.ties > 1):,} of {len(lists.item):,} rows tied"
        )
        for name, value in (means | shown[split]).items():
            print(f"  {name:21} {value:.4f}")
    artefacts.write_parquet(per_user, pa.concat_tables(parts).unify_dictionaries())
    artefacts.write_json(exposure, shown)


if __name__ == "__main__":
    job.run(main, snakemake)
