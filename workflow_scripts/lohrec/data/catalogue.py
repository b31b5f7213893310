"""The items that a recommender knows, by number: names, titles, and how often each was chosen."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lohrec.common.artefacts import read_json, write_json
from lohrec.data.examples import Examples


@dataclass(frozen=True)
class Catalogue:
    """Items; number i has the name names[i].

    Attributes:
        names: as the source spells them.
        titles: "" where an item has none.
        count: int64 (items,), train interactions.
    """

    names: list[str]
    titles: list[str]
    count: np.ndarray

    @classmethod
    def of(cls, items: str | Path, train: Examples) -> "Catalogue":
        """The catalogue of items.parquet, with counts from the train split alone."""
        table = pq.read_table(items, columns=["asin", "title"]).to_pydict()
        names = [str(name) for name in table["asin"]]
        return cls(names, [title or "" for title in table["title"]], counts(train, len(names)))

    @classmethod
    def load(cls, path: str | Path) -> "Catalogue":
        """Read a file that `save` wrote."""
        read = read_json(path)
        return cls(read["name"], read["title"], np.asarray(read["train_interactions"], np.int64))

    def save(self, path: str | Path) -> None:
        """Write items.json, one list a column."""
        columns = {"name": self.names, "title": self.titles}
        write_json(path, columns | {"train_interactions": self.count.tolist()})

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each name."""
        return {name: number for number, name in enumerate(self.names)}


def counts(train: Examples, items: int) -> np.ndarray:
    """Interactions with each item up to its users' last train targets, int64 (items,).

    Dev and test targets are in no window of a train example and are therefore not counted.
    """
    size = len(train.sequences) + 1
    opened = np.bincount(train.start, minlength=size)
    closed = np.bincount(train.stop + 1, minlength=size)
    covered = np.cumsum(opened - closed)[:-1] > 0
    return np.bincount(train.sequences[covered], minlength=items)
