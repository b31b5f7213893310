"""What single users have bought and what each model lists for them (Tables 4 and 5)."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lohrec.data.examples import Examples, first_items
from lohrec.evaluation import ranked_lists, tables

LONGEST = 60  # characters of a title

# A user: `user`; `history`, the last items, and `target`, lines; `bought`, how many items the whole
# history has; `lists`, {model: [{"item", "target", "taught"}]}, the
# last two telling whether an item is the target, and whether the teacher lists it too.
Case = dict[str, Any]


def chosen(
    test: Examples,
    rows: np.ndarray,
    names: list[str],
    lists: dict[str, ranked_lists.RankedLists],
    teacher: str,
    cutoff: int,
) -> list[Case]:
    """Users' histories, targets and lists.

    Args:
        test: the test split.
        rows: examples to show.
        names: a line for every item.
        lists: {model: its lists}.
        teacher: which of the models has taught the others.
        cutoff: places that are shown.
    """
    found, first = [], first_items(test.stop)
    for row in rows:
        user, target = int(test.user[row]), int(test.target[row])
        history = [names[item] for item in test.histories(np.array([row]))[0] if item >= 0]
        shown = {name: items_of(each, user)[:cutoff].tolist() for name, each in lists.items()}
        found.append(
            {
                "user": user,
                "history": history,
                "bought": int(test.stop[row] - first[row]),
                "target": names[target],
                "lists": {
                    name: [
                        {
                            "item": names[item],
                            "target": item == target,
                            "taught": name != teacher and item in shown[teacher],
                        }
                        for item in items
                    ]
                    for name, items in shown.items()
                },
            }
        )
    return found


def page(dataset: str, found: list[Case], teacher: str) -> str:
    """The page cases.md.

    Args:
        dataset: its name.
        found: what `chosen` returned.
        teacher: the teacher's name.
    """
    parts = [
        f"# {dataset}: lists of single users",
        "Test users drawn at random. **Bold**: the item that came next. "
        f"`*`: the teacher, {teacher}, lists it too.",
    ]
    for case in found:
        older = case["bought"] - len(case["history"])
        parts += [
            f"## User {case['user']}",
            *([f"{older} older items are left out."] if older else []),
            "\n".join(f"{n}. {line}" for n, line in enumerate(case["history"], 1)),
            f"Next: **{case['target']}**",
        ]
        columns = [
            [
                (f"**{one['item']}**" if one["target"] else one["item"])
                + (" *" if one["taught"] else "")
                for one in listed
            ]
            for listed in case["lists"].values()
        ]
        longest = max(map(len, columns))
        columns = [column + [""] * (longest - len(column)) for column in columns]
        places = [str(place) for place in range(1, longest + 1)]
        header = ["place", *case["lists"]]
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
