"""What a single setting of a row does to its figures, value by value."""

from collections.abc import Collection
from typing import Any

from lohrec.evaluation import comparison, tables

SPLITS = ("test", "dev")
METRICS = ("recall", "ndcg", "diversity")


def compare(
    values: dict[str, list[str]],
    reference: str,
    cutoff: int,
    resamples: int,
    paired: Collection[str],
    vectors: str,
) -> dict[str, dict[str, Any]]:
    """{split: {"users": their number, "values": what `comparison.compare` finds of each value}}.

    Args:
        values: {value: per_user.parquet of each seed}.
        reference: the value that the others are held against.
        cutoff: K of the metrics.
        resamples: of users and seeds.
        paired: values that share trainings with the reference, seed by seed.
        vectors: what diversity is of, see `comparison.compare`.

    Raises:
        ValueError: the tables differ in users or metrics, or figures contradict each other.
    """
    found = {}
    for split in SPLITS:
        users, figures = comparison.read(values, split, reference)
        shown = {
            value: {f"{metric}@{cutoff}": of[f"{metric}@{cutoff}"] for metric in METRICS}
            for value, of in figures.items()
        }
        compared = comparison.compare(shown, reference, resamples, paired, vectors)
        found[split] = {"users": len(users), "values": compared}
    return found


def page(title: str, setting: str, reference: str, result: dict[str, dict[str, Any]]) -> str:
    """The page of a sweep.

    Args:
        result: what `compare` returns.
    """
    several = any(of["seeds"] > 1 for of in result["test"]["values"].values())
    parts = [
        f"# {title}",
        f"Each line is the row with another `{setting}` and nothing else changed. In brackets: the "
        f"difference from {reference}, with its 95 % interval over users"
        f"{' and seeds' if several else ' alone, for each has one seed'}, not corrected for how "
        "many values there are. Who chooses a value looks at the dev set alone.",
    ]
    for split, found in result.items():
        first = next(iter(found["values"].values()))
        header = [setting, "seeds", *map(tables.label, first["metrics"])]
        rows = [
            [value, str(of["seeds"]), *map(_cell, of["metrics"].values())]
            for value, of in found["values"].items()
        ]
        parts += [f"## {split} set, {found['users']:,} users", tables.markdown(header, rows)]
    return "\n\n".join(parts) + "\n"


def table(result: dict[str, dict[str, Any]]) -> str:
    """The same as CSV, a line for each split, value and metric."""
    rows = []
    ends = ("mean", "low", "high", "p")
    header = ["split", "value", "seeds", "metric", "mean", "std"]
    header += [f"difference_{end}" for end in ends]
    for split, found in result.items():
        for value, of in found["values"].items():
            for metric, entry in of["metrics"].items():
                difference = [entry.get("difference", {}).get(end) for end in ends]
                figures = [entry["mean"], entry["std"], *difference]
                rows.append([split, value, of["seeds"], metric, *figures])
    return tables.comma_separated(header, rows)


def panels(
    result: dict[str, dict[str, Any]],
) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """{metric's heading: {split: mean and interval of each value}}, as `charts.intervals` takes it.

    An interval is that of the difference from the reference, laid around the mean; the reference
    has none.
    """
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for split, of_split in result.items():
        for of in of_split["values"].values():
            for metric, entry in of["metrics"].items():
                series = found.setdefault(tables.label(metric), {}).setdefault(f"{split} set", [])
                difference = entry.get("difference", {"mean": 0.0, "low": 0.0, "high": 0.0})
                base = entry["mean"] - difference["mean"]
                series.append((entry["mean"], base + difference["low"], base + difference["high"]))
    return found


def _cell(entry: dict[str, Any]) -> str:
    if "difference" not in entry:
        return f"{entry['mean']:.4f}"
    mean, low, high = (entry["difference"][end] for end in ("mean", "low", "high"))
    return f"{entry['mean']:.4f} ({mean:+.4f} [{low:+.4f}, {high:+.4f}])"
