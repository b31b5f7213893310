"""Put the shards of the teacher's probabilities together."""

from lohrec import examples as windows
from lohrec import folds, joblog


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
    folds.gather(windows.load(sequences, examples, "train"), shards, probabilities, sharding)


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            list(snakemake.input.shards),  # noqa: F821
            snakemake.input.sequences,  # noqa: F821
            snakemake.input.examples,  # noqa: F821
            snakemake.output.probabilities,  # noqa: F821
            snakemake.params.sharding,  # noqa: F821
        )
