"""The slices of the users in a report."""

from lohrec.evaluation import tables
from lohrec.evaluation.report.accuracy import Accuracy, figure
from lohrec.evaluation.report.tables import Figure, Section, Table, cells

FEW = 100  # users: of fewer a slice's best is chance
WAYS = {"history": "items in the history", "popularity": "popularity of the target"}


def section(accuracy: Accuracy, drawn: str) -> Section:
    """Recall and NDCG by length of the history and popularity of the target.

    Args:
        drawn: the figure of the same.
    """
    shown = []
    for way, parts in accuracy.slices.items():
        names = list(next(iter(parts.values()))["variants"])
        for metric in (f"recall@{accuracy.largest}", f"ndcg@{accuracy.largest}"):
            columns = [
                accuracy.ranked({n: part["variants"][n][metric]["mean"] for n in names})
                if part["users"] >= FEW
                else {}
                for part in parts.values()
            ]
            rows = [
                cells(
                    [
                        name,
                        *(
                            figure(part["variants"][name][metric], marks.get(name, ""))
                            for part, marks in zip(parts.values(), columns, strict=True)
                        ),
                    ]
                )
                for name in names
            ]
            header = [WAYS[way], *(f"{h} ({p['users']:,})" for h, p in parts.items())]
            title = f"{tables.label(metric)} by {WAYS[way]}"
            shown.append(Table(f"{metric} by {way}", title, header, rows, folded=True))
    text = [
        "In brackets: users. Histories are counted whole, also where models read less of them. The "
        "head are the most popular items that have a third of the train interactions, the middle "
        f"the next third, the tail the rest. {accuracy.shades()} Slices of fewer than {FEW} users "
        "have no marks, and none has an interval."
    ]
    title = f"Accuracy by slice, test set, {accuracy.users:,} users"
    return Section("slices", "Slices of the users", text, shown, [Figure(drawn, title)])
