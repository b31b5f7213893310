"""Put the shards of the teacher's probabilities together."""

from lohrec.common import job
from lohrec.data import examples as windows
from lohrec.teacher import user_folds


def main(
    shards: list[str], sequences: str, examples: str, probabilities: str, sharding: dict
) -> None:
    """Write probabilities.npy, float16 (train examples, 4, codewords), to be memory-mapped.

    Args:
        shards: probabilities.npy of every shard, in order.
        sequences: sequences.npy.
        examples: examples.parquet.
        probabilities: probabilities.npy.
        sharding: settings `folds` and `shards`.
    """
    user_folds.gather(windows.load(sequences, examples, "train"), shards, probabilities, sharding)


if __name__ == "__main__":
    job.run(main, snakemake)
