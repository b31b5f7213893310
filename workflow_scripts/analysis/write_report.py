"""All tables and figures of a dataset on one page, and its tables as Markdown and CSV."""

from pathlib import Path

from lohrec.common import artefacts, job
from lohrec.evaluation.report import page, tables


def main(inputs: dict, html: str, markdown: str, csv: str, dataset: str, run: dict) -> None:
    """Write report.html, report.md and report.csv.

    Args:
        inputs: the artefacts that are shown, the template and the paper's figures.
        html, markdown, csv: the files to write.
        dataset: its name.
        run: what was run; see rules/report.smk.

    Raises:
        ValueError: figures contradict each other.
    """
    parts = page.sections(inputs, run, Path("benchmarks") / dataset)
    title = f"LOHRec: {dataset}"
    artefacts.write_text(html, page.render(inputs["template"], title, parts))
    artefacts.write_text(markdown, tables.markdown(parts, title))
    artefacts.write_text(csv, tables.long_csv(parts))


if __name__ == "__main__":
    job.run(main, snakemake)
