"""What a row of variants.yaml is: a baseline, a teacher or the method, and how it makes lists."""

from lohrec.configuration import registry, rows
from lohrec.configuration.sections import Table


def of_row(name: str, variants: Table) -> str:
    """What a row is in a table of results: "baseline", "teacher" or "own".

    A baseline learns from the sequences alone, by one-hot targets, as those do that the paper
    compares with, and so does what it starts from. A teacher is the language model or an ensemble.
    All else is of the paper's kind.
    """
    row = variants[name]
    if rows.is_trained(row):
        plain = row["loss"] == "one_hot" and row["learns"] == "next_item" and not row["ranking"]
        if not plain:
            return "own"
        return of_row(row["start_from"], variants) if row.get("start_from") else "baseline"
    if registry.path("recommender", row["recommender"]).parent.name == "baselines":
        return "baseline"
    return "own" if row["recommender"] == "cascade" else "teacher"
