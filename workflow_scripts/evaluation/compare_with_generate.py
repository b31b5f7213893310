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
    ids: str,
    comparison: str,
    decoding: dict,
    threads: int,
) -> None:
    """Write the comparison over some test users as JSON.

    Args:
        model: recommender.json.
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        comparison: JSON to write, see `same_lists.compare`.
        decoding: `beams`.
        threads: of the CPU.
    """
    devices.acquire({"count": 0}, threads)
    semantic = store.load_ids(ids)
    test = read_examples(sequences, examples, "test")
    result = same_lists.compare(Path(model).parent, semantic, test, USERS, decoding["beams"])
    print(result)
    artefacts.write_json(comparison, result)


if __name__ == "__main__":
    job.run(main, snakemake)
