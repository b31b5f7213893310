"""The benchmarks as tables."""

from lohrec.benchmarks import tables
from lohrec.common import artefacts, job


def main(benchmarks: list[str], table: str) -> None:
    """Write one Markdown table a benchmark."""
    artefacts.write_text(table, "\n".join(map(tables.table, benchmarks)))


if __name__ == "__main__":
    job.run(main, snakemake)
