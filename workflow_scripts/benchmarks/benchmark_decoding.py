"""Measure the beam search against transformers' `generate` and against the arithmetic."""

from lohrec.benchmarks import decoding
from lohrec.common import devices, job


def main(
    sequences: str,
    examples: str,
    ids: str,
    benchmark: str,
    network: dict,
    compact: dict,
    settings: dict,
) -> None:
    """Write the benchmark as JSON."""
    devices.acquire({"count": 0}, 1)
    decoding.measure(sequences, examples, ids, benchmark, network, compact, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
