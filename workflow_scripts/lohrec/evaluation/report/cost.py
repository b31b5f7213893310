"""What the steps of a run took, as Snakemake measured them."""

from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv

from lohrec.evaluation.report.tables import Section, Table, cells


def section(folder: str | Path) -> Section | None:
    """Time and memory of the steps, as Snakemake measured them; None if none was.

    Args:
        folder: of the dataset's benchmark files, STEP.tsv or STEP/JOB.tsv.
    """
    folder = Path(folder)
    steps: dict[str, list[dict[str, Any]]] = {}
    # An empty one is being written.
    for path in sorted(one for one in folder.rglob("*.tsv") if one.stat().st_size):
        options = pa_csv.ParseOptions(delimiter="\t")
        named = pa_csv.ConvertOptions(null_values=["", "-", "NA"], strings_can_be_null=True)
        for row in pa_csv.read_csv(path, parse_options=options, convert_options=named).to_pylist():
            steps.setdefault(path.relative_to(folder).with_suffix("").parts[0], []).append(row)
    if not steps:
        return None
    rows = []
    for step, jobs in sorted(steps.items(), key=lambda one: -sum(job["s"] for job in one[1])):
        wall, busy = (sum(job[key] or 0 for job in jobs) for key in ("s", "cpu_time"))
        memory = max((job["max_rss"] or 0 for job in jobs), default=0)
        rows.append(cells([step, str(len(jobs)), _time(wall), _time(busy), f"{memory:,.0f}"]))
    total = sum(job["cpu_time"] or 0 for jobs in steps.values() for job in jobs)
    text = [
        f"Measured on the machine that ran the jobs: {_time(total)} of CPU time in all. These are "
        "the last runs of this dataset's jobs, but for small ones, such as figures and tables; "
        "searches, sweeps and rows that are not on this page count too. Jobs beside others took "
        "longer. Snakemake looks at a job every half minute, so its last seconds may not be in CPU "
        "time and memory. Not here are jobs of a machine without Snakemake and those of rows of "
        "other datasets. Energy was not measured."
    ]
    header = ["step", "jobs", "time", "CPU time", "most memory, MB"]
    return Section("cost", "Cost by step", text, [Table("cost", "Cost", header, rows)])


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
