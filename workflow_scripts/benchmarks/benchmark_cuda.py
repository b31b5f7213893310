"""Measure training, decoding and the teacher on a GPU, in the workflow or by hand.

    python workflow_scripts/benchmarks/benchmark_cuda.py cuda.json
    python workflow_scripts/benchmarks/benchmark_cuda.py cuda.json --device cpu --size tiny

The JSON is that of the other benchmarks; `tabulate_benchmarks.py` makes it a table.
"""

import argparse
import sys

import torch

from lohrec.benchmarks import cuda
from lohrec.common import devices, job


def main(benchmark: str, threads: int) -> None:
    """Measure the Games set on a GPU."""
    device = devices.acquire({"count": 1, "memory_gb": 40}, threads)
    cuda.measure(benchmark, device, cuda.SIZES["games"])


def command_line() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=cuda.__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="games", choices=cuda.SIZES)
    arguments = parser.parse_args()
    wanted = {"count": int(arguments.device == "cuda"), "memory_gb": 0}
    device = devices.acquire(wanted, torch.get_num_threads())
    cuda.measure(arguments.output, device, cuda.SIZES[arguments.size])


if __name__ == "__main__" and "snakemake" not in globals():
    sys.exit(command_line())

if __name__ == "__main__":
    job.run(main, snakemake)
