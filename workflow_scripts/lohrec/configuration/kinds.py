"""What a row of variants.yaml is in a table of results: a baseline, a teacher, or the method."""

from lohrec.configuration import registry, rows
from lohrec.configuration.sections import Values


def of_row(row: Values) -> str:
    """What a row is in a table of results: "baseline", "teacher" or "own".

    A baseline learns from the sequences alone, by one-hot targets, as those do that the paper
    compares with. A teacher is the language model or an ensemble. All else is of the paper's kind.
    """
    if rows.is_trained(row):
        plain = row["loss"] == "one_hot" and row["learns"] == "next_item" and not row["ranking"]
        return "baseline" if plain and not row.get("start_from") else "own"
    if registry.path("recommender", row["recommender"]).parent.name == "baselines":
        return "baseline"
    return "own" if row["recommender"] == "cascade" else "teacher"
