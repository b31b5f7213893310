"""Put the shards of the teacher's probabilities together."""

from lohrec.common import job_log
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
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            list(snakemake.input.shards),  # noqa: F821
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.output.probabilities,  # noqa: F821
            snakemake.params.sharding,  # noqa: F821
        )
