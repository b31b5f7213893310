"""What single users have bought and what each generator lists for them (Tables 4 and 5)."""

import numpy as np
import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.data import examples as windows
from lohrec.evaluation import ranked_lists, tables

LONGEST, SEED = 60, 0  # characters of a title; of the draw of users


def main(
    students: list[str],
    teacher: str,
    sequences: str,
    examples: str,
    catalogue: str,
    markdown: str,
    dataset: str,
    variants: list[str],
    settings: dict,
) -> None:
    """Write cases.md for test users drawn at random, not chosen for what they show.

    Args:
        students: recommendations.parquet of each variant.
        teacher: recommendations.parquet of the teacher.
        sequences, examples, catalogue: sequences.npy, examples.parquet, items.parquet.
        markdown: the file to write.
        dataset: its name.
        variants: their names.
        settings: `cases`, how many users, and `cutoff`, places that are shown.
    """
    cases, cutoff = settings["cases"], settings["cutoff"]
    test = windows.load(sequences, examples, "test")
    names = titles(catalogue)
    rows = np.random.default_rng(SEED).choice(len(test), min(cases, len(test)), replace=False)
    found = {
        name: ranked_lists.read(path, "test", test.user, len(names))
        for name, path in zip([*variants, "teacher"], [*students, teacher], strict=True)
    }
    page = [
        f"# {dataset}: lists of single users",
        "Test users drawn at random. **Bold**: the item that came next. "
        "`*`: the teacher lists it too.",
    ]
    for row in rows:
        user, target = test.user[row], test.target[row]
        history = [item for item in test.histories(np.array([row]))[0] if item >= 0]
        page += [
            f"## User {user}",
            "\n".join(f"{n}. {names[item]}" for n, item in enumerate(history, 1)),
            f"Next: **{names[target]}**",
        ]
        lists = {name: items_of(own, user)[:cutoff] for name, own in found.items()}
        taught = set(lists["teacher"].tolist())
        columns = [
            [
                (f"**{names[i]}**" if i == target else names[i])
                + (" *" if name != "teacher" and i in taught else "")
                for i in items
            ]
            for name, items in lists.items()
        ]
        longest = max(map(len, columns))
        columns = [column + [""] * (longest - len(column)) for column in columns]
        places = [str(place) for place in range(1, longest + 1)]
        header = ["place", *lists]
        page.append(tables.markdown(header, list(zip(places, *columns, strict=True))))
    artefacts.write_text(markdown, "\n\n".join(page) + "\n")


def titles(catalogue: str) -> list[str]:
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


if __name__ == "__main__":
    job.run(main, snakemake)
