"""Measure the way from vectors to identifiers without collisions, and an epoch of a deep RQ-VAE."""

from lohrec.benchmarks import quantizer
from lohrec.common import devices, job


def main(
    embeddings: str,
    benchmark: str,
    laptop: dict,
    paper: dict,
    resolving: dict,
    settings: dict,
    threads: int,
) -> None:
    """Write the benchmark as JSON."""
    devices.acquire({"count": 0}, threads)
    quantizer.measure(embeddings, benchmark, laptop, paper, resolving, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
