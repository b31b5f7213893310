"""Measure training steps against transformers padded to 80 tokens, and against the arithmetic."""

from lohrec.benchmarks import training
from lohrec.common import devices, job


def main(
    sequences: str,
    examples: str,
    ids: str,
    benchmark: str,
    network: dict,
    losses: dict,
    settings: dict,
) -> None:
    """Write the benchmark as JSON."""
    devices.acquire({"count": 0}, 1)
    training.measure(sequences, examples, ids, benchmark, network, losses, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
