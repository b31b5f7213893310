"""GPU memory and time of pretrained teachers by size, computed from their shapes."""

from lohrec.benchmarks import teacher_sizes
from lohrec.common import artefacts, job


def main(table: str, settings: dict[str, dict]) -> None:
    """Write a Markdown table.

    Args:
        table: the table.
        settings: sections `teacher`, `adaptation` and `tasks` of the paper's preset.
    """
    artefacts.write_text(table, teacher_sizes.page(settings))


if __name__ == "__main__":
    job.run(main, snakemake)
