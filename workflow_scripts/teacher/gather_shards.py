"""Put the shards of what the teacher computed for the train examples together."""

from lohrec.common import job
from lohrec.data.examples import read_examples
from lohrec.teacher import sharding


def main(shards: list[str], sequences: str, examples: str, gathered: str, settings: dict) -> None:
    """Write one array, a row a train example, to be memory-mapped.

    Args:
        shards: the arrays of all shards, in order: beams.npy, int16 (examples, beams, 4), or
            probabilities.npy, float16 (examples, 4, codewords).
        sequences: sequences.npy.
        examples: examples.parquet.
        gathered: .npy to write.
        settings: `folds` and `shards`.
    """
    sharding.gather(read_examples(sequences, examples, "train"), shards, gathered, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
