"""Which versions made a result, read from package metadata without importing the packages."""

import platform
from importlib.metadata import PackageNotFoundError, version

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
