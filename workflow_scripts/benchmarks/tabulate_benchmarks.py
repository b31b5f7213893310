"""The benchmarks as tables."""

from pathlib import Path

from lohrec.common import job
from lohrec.common.artefacts import read_json, whole

COLUMNS = ("name", "dtype", "device", "ours", "rival", "ratio", "floor_share", "unit")


def main(benchmarks: list[str], table: str) -> None:
    """Write one Markdown table a benchmark; what else a row tells follows its unit."""
    with whole(table) as temporary:
        temporary.write_text("\n".join(one_table(path) for path in benchmarks), encoding="utf-8")


def one_table(path: str) -> str:
    """One benchmark's table under its name and machine."""
    found = read_json(path)
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [f"## {Path(path).stem}", "", f"{found['device']}; {versions}", ""]
    lines += ["| " + " | ".join([*COLUMNS, "more"]) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in found["rows"]:
        more = [f"{k} {cell(v)}" for k, v in row.items() if k not in COLUMNS and v is not None]
        cells = [cell(row[column]) for column in COLUMNS]
        lines.append("| " + " | ".join([*cells, ", ".join(more)]) + " |")
    return "\n".join(lines) + "\n"


def cell(value: object) -> str:
    """A number with three figures, a text as it is, nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    job.run(main, snakemake)
