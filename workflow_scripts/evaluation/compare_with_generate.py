"""Hold the beam search against transformers' `generate`: the same lists, and the ratio of times."""

from pathlib import Path

from lohrec.benchmarks import same_lists
from lohrec.common import artefacts, devices, job
from lohrec.data.examples import read_examples
from lohrec.identifiers import store

USERS = 1000


def main(
    model: str,
    sequences: str,
    examples: str,
    comparison: str,
    decoding: dict,
    threads: int,
) -> None:
    """Write the comparison over some test users as JSON.

    Args:
        model: recommender.json in the folder of the recommender.
        sequences, examples: sequences.npy, examples.parquet.
        comparison: JSON to write, see `same_lists.compare`.
        decoding: `beams`.
        threads: of the CPU.
    """
    devices.acquire({"count": 0}, threads)
    folder, test = Path(model).parent, read_examples(sequences, examples, "test")
    result = same_lists.compare(folder, store.load(folder), test, USERS, decoding["beams"])
    print(result)
    artefacts.write_json(comparison, result)


if __name__ == "__main__":
    job.run(main, snakemake)
