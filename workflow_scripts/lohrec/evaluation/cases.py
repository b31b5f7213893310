"""What single users have bought and what each model lists for them (Tables 4 and 5)."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lohrec.data.examples import Examples
from lohrec.evaluation import ranked_lists, tables

LONGEST = 60  # characters of a title


def page(
    dataset: str,
    test: Examples,
    rows: np.ndarray,
    names: list[str],
    lists: dict[str, ranked_lists.RankedLists],
    cutoff: int,
) -> str:
    """A Markdown page of users' histories, targets and lists.

    Args:
        dataset: its name.
        test: the test split.
        rows: examples to show.
        names: a line for every item.
        lists: {model: its lists}, "teacher" among them.
        cutoff: places that are shown.
    """
    parts = [
        f"# {dataset}: lists of single users",
        "Test users drawn at random. **Bold**: the item that came next. "
        "`*`: the teacher lists it too.",
    ]
    for row in rows:
        user, target = test.user[row], test.target[row]
        history = [item for item in test.histories(np.array([row]))[0] if item >= 0]
        parts += [
            f"## User {user}",
            "\n".join(f"{n}. {names[item]}" for n, item in enumerate(history, 1)),
            f"Next: **{names[target]}**",
        ]
        shown = {name: items_of(each, user)[:cutoff] for name, each in lists.items()}
        taught = set(shown["teacher"].tolist())
        columns = [
            [
                (f"**{names[i]}**" if i == target else names[i])
                + (" *" if name != "teacher" and i in taught else "")
                for i in items
            ]
            for name, items in shown.items()
        ]
        longest = max(map(len, columns))
        columns = [column + [""] * (longest - len(column)) for column in columns]
        places = [str(place) for place in range(1, longest + 1)]
        header = ["place", *shown]
        parts.append(tables.markdown(header, list(zip(places, *columns, strict=True))))
    return "\n\n".join(parts) + "\n"


def titles(catalogue: str | Path) -> list[str]:
    """A line for every item: its title, or its number where there is none."""
    table = pq.read_table(catalogue, columns=["title"])["title"].to_pylist()
    lines = [" ".join((title or "").replace("|", "/").replace("*", "").split()) for title in table]
    return [
        (line if len(line) <= LONGEST else line[: LONGEST - 3].rstrip() + "...") or f"item {number}"
        for number, line in enumerate(lines)
    ]


def items_of(lists: ranked_lists.RankedLists, user: int) -> np.ndarray:
    """A user's list."""
    place = int(np.searchsorted(lists.user, user))
    return lists.item[lists.offset[place] : lists.offset[place + 1]]
