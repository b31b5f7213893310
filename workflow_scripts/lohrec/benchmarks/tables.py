"""Benchmarks as Markdown tables."""

from pathlib import Path

from lohrec.common.artefacts import read_json

COLUMNS = ("name", "dtype", "device", "ours", "rival", "ratio", "floor_share", "unit")


def table(path: str | Path) -> str:
    """One benchmark's table under its name and machine; more of a row follows its unit.

    Args:
        path: JSON that a benchmark wrote.
    """
    benchmark = read_json(path)
    versions = ", ".join(f"{name} {version}" for name, version in benchmark["versions"].items())
    lines = [f"## {Path(path).stem}", "", f"{benchmark['device']}; {versions}", ""]
    lines += ["| " + " | ".join([*COLUMNS, "more"]) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in benchmark["rows"]:
        more = [f"{k} {cell(v)}" for k, v in row.items() if k not in COLUMNS and v is not None]
        cells = [cell(row[column]) for column in COLUMNS]
        lines.append("| " + " | ".join([*cells, ", ".join(more)]) + " |")
    return "\n".join(lines) + "\n"


def cell(value: str | float | None) -> str:
    """A number with three figures, a text as it is, nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
