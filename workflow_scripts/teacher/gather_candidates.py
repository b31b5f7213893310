"""Put the shards of raw candidates together, and count what they hold."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data import examples as windows
from lohrec.recommender import priors
from lohrec.teacher import user_folds


def main(
    shards: list[str],
    sequences: str,
    examples: str,
    ids: str,
    beams: str,
    report: str,
    sharding: dict,
) -> None:
    """Write beams.npy, int16 (train examples, beams, 4), and a report on them.

    Args:
        shards: beams.npy of every shard, in order.
        sequences: sequences.npy.
        examples: examples.parquet.
        ids: semantic_ids.npy.
        beams: beams.npy.
        report: candidates.json.
        sharding: settings `folds` and `shards`.
    """
    train = windows.load(sequences, examples, "train")
    user_folds.gather(train, shards, beams, sharding)
    quality = priors.beam_quality(np.load(beams, mmap_mode="r"), train.target, np.load(ids))
    print(", ".join(f"{name} {value}" for name, value in quality.items()))
    artefacts.write_json(report, quality)


if __name__ == "__main__":
    job.run(main, snakemake)
