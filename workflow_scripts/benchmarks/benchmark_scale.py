"""Measure the prefix tree at growing numbers of items, and teacher targets read from disk."""

from lohrec.benchmarks import scale
from lohrec.common import devices, job


def main(benchmark: str, network: dict, settings: dict) -> None:
    """Write the benchmark as JSON."""
    devices.acquire({"count": 0}, 1)
    scale.measure(benchmark, network, settings)


if __name__ == "__main__":
    job.run(main, snakemake)
