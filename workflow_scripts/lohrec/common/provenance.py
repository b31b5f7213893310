"""What made a result: versions, read from package metadata without imports, and the CPU."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = [
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "polars",
    "snakemake",
]


def versions() -> dict[str, str | None]:
    """{"python": "3.11.2", "torch": ..., ...}; None for a package that is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def processor() -> str:
    """Name of the CPU, and how many there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        return f"{len(names)} x {names[0]}"
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
