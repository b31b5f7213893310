"""Measure the way from review lines to examples: time, memory, and how both grow."""

from lohrec.benchmarks import ingest
from lohrec.common import job


def main(benchmark: str, settings: dict) -> None:
    """Write the benchmark as JSON."""
    ingest.measure(benchmark, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
