"""The front door: everything that recommends fits, recommends, saves and loads in one way."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from lohrec.common.artefacts import damage, fingerprint, read_json, write_json
from lohrec.configuration import registry
from lohrec.data.catalogue import Catalogue
from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.histories import Given, numbers
from lohrec.recommender.inputs import CPU, Inputs
from lohrec.recommender.lists import Lists, Ranked
from lohrec.recommender.places import FILE, home

ITEMS, CURVE = "items.json", "training.json"


class Histories(NamedTuple):
    """What users have chosen, none of them empty.

    Attributes:
        items: int64 (users, longest), item numbers, the oldest first, -1 on the right.
        length: int64 (users,), items of each.
    """

    items: np.ndarray
    length: np.ndarray


class Recommender(ABC):
    """Anything that fits and recommends; `Recommender.load` opens whichever a folder holds.

    A recommender is a class in a module of `recommender/methods` or `recommender/baselines`, whose
    file name is its name. It implements `learn`, `rank`, `save_parts` and `load_parts`; a folder
    that `save` leaves is complete.

    Attributes:
        name: of the module.
        catalogue: the items.
        history: most items of a history that are read.
        decoding: settings of the search for lists, where there is one.
        curve: a row for each evaluation of the training, where there was one.
    """

    name: ClassVar[str]
    catalogue: Catalogue
    history: int
    decoding: Mapping[str, Any]
    curve: list[dict[str, Any]] | None = None

    @property
    def excludes_history(self) -> bool:
        """Whether lists leave out a user's own items where nothing else is asked for.

        As on the dev set when it was fitted: they do where no user of the data has an item twice.
        """
        return bool(self.decoding["exclude_history"])

    @classmethod
    def fit(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Recommender":
        """Learn from the train split; the same inputs, settings and seed give the same bytes."""
        fitted = cls.learn(inputs, settings, seed)
        fitted.catalogue, fitted.history = inputs.catalogue, inputs.history
        fitted.decoding = inputs.decoding
        return fitted

    @classmethod
    @abstractmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Recommender":
        """What `fit` does before it hands over the catalogue."""

    @abstractmethod
    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """Lists of `top` ranks; shorter only where no more items may be listed."""

    @abstractmethod
    def save_parts(self, folder: Path) -> dict[str, Any]:
        """Write what is learned; return what `load_parts` wants to know besides."""

    @classmethod
    @abstractmethod
    def load_parts(
        cls, folder: Path, saved: Mapping[str, Any], device: torch.device
    ) -> "Recommender":
        """Read what `save_parts` wrote; what every recommender has is set afterwards."""

    @classmethod
    def item_vectors(cls, folder: Path) -> np.ndarray:
        """float32 (items, d), items as the model saved in `folder` embeds them.

        Raises:
            ValueError: it embeds no items.
        """
        raise ValueError(
            f"A recommender of the kind {cls.name!r} embeds no items ({folder}). Take a generative "
            "one, or a network such as sasrec."
        )

    def steps(self, histories: Histories, tree: PrefixTree) -> TreeSteps:
        """The recommender's probabilities of items, as a beam search asks for them.

        Of a recommender with the trait `teaches`: others learn from it, or mix it with others.

        Args:
            tree: of all identifiers, on the recommender's device.

        Raises:
            ValueError: it has no such probabilities.
        """
        raise ValueError(f"A recommender of the kind {self.name!r} cannot teach.")

    def at_once(self, wanted: int) -> int:
        """How many histories `steps` should take at once, where so many are wanted."""
        return wanted

    def recommend(
        self,
        histories: Given,
        top: int = 10,
        exclude_history: bool | None = None,
    ) -> Lists:
        """Lists for any number of users.

        Args:
            histories: a row a user, the oldest item first. An item is a text, the name that the
                source has, or an integer, the place of its name in `catalogue.names`: where names
                are digits, "7" and 7 may be two items. Rows are lists or arrays; or all are one
                integer array (users, longest), -1 on the right. Items that the recommender does
                not know are skipped (`Lists.unknown`), and of the others the last `history` are
                read. A user without any gets the most popular items (`Lists.cold`).
            top: items of a list. It is shorter where fewer are left to be listed.
            exclude_history: leave the items of a user's history out of the list, those too that are
                older than what is read; None: as `excludes_history` says.

        Raises:
            ValueError: `top` is below 1.
            TypeError: a history is no list of items, or an item is neither a name nor a number.
        """
        if top < 1:
            raise ValueError(f"top is {top}; a list has at least one item.")
        if exclude_history is None:
            exclude_history = self.excludes_history
        items, length, unknown, older = numbers(histories, self.catalogue, self.history)
        cold = length == 0
        rows = [self._popular(np.flatnonzero(cold), top)]
        more = np.bincount(older[:, 0], minlength=len(length)) * exclude_history
        # Users of like numbers go together, and a list depends on nobody else's.
        more = np.where(more > 0, 2 ** np.ceil(np.log2(np.maximum(more, 1))), 0).astype(np.int64)
        for extra in np.unique(more[~cold]):
            users = np.flatnonzero(~cold & (more == extra))
            read = Histories(items[users], length[users])
            # No list is longer than the catalogue, and no search need be wider.
            most = min(top + int(extra), len(self.catalogue))
            ranked = self.rank(read, most, exclude_history)
            ranked = ranked._replace(user=users[ranked.user])
            rows.append(ranked.without(older, len(self.catalogue), top) if extra else ranked)
        user, rank, item, score = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        order = np.argsort(user, kind="stable")
        ranked = Ranked(user[order], rank[order], item[order], score[order].astype(np.float32))
        return Lists(ranked, len(length), top, self.catalogue.names, unknown, cold)

    def save(self, folder: str | Path, made: Mapping[str, Any] | None = None) -> None:
        """Write the recommender as one complete folder of safetensors and JSON.

        The last file, recommender.json, has the digests of all others but the training's curve.

        Args:
            folder: empty, or not there yet.
            made: what is worth knowing about how it was made; kept as it is.

        Raises:
            FileExistsError: the folder holds something.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"{folder} is not empty; name a new folder, or empty it first.")
        parts = self.save_parts(folder)
        self.catalogue.save(folder / ITEMS)
        if self.curve is not None:
            write_json(folder / CURVE, self.curve)
        saved = {"recommender": self.name, "history": self.history, "saved": parts}
        saved |= {"decoding": dict(self.decoding), "made": dict(made or {})}
        write_json(folder / FILE, saved | {"sha256": digests(folder)})

    @staticmethod
    def load(
        folder: str | Path,
        device: torch.device | str = CPU,
        decoding: Mapping[str, Any] | None = None,
    ) -> "Recommender":
        """Open a folder that `save` or a run of the workflow left, whatever recommends in it.

        Args:
            device: where to compute.
            decoding: settings of the search that replace those it was saved with; it keeps others.

        Raises:
            FileNotFoundError: the folder holds no recommender, or lacks one of its files.
            ValueError: this program has no recommender of that name, or a file is damaged.
        """
        folder, device = home(folder), torch.device(device)
        saved = read_json(folder / FILE)
        if lost := {"recommender", "saved", "history", "decoding", "sha256"} - set(saved):
            raise ValueError(f"{folder / FILE} lacks {', '.join(sorted(lost))}. Make it again.")
        if lost := {name for name in saved["sha256"] if not (folder / name).is_file()}:
            lacks = ", ".join(sorted(lost))
            raise FileNotFoundError(f"{folder} lacks {lacks}. Copy the whole folder.")
        kind = named(saved["recommender"])
        try:
            loaded = kind.load_parts(folder, saved["saved"], device)
            loaded.catalogue, loaded.history = Catalogue.load(folder / ITEMS), saved["history"]
        except Exception as error:  # each reader has its own, and few name the file
            for name in saved["sha256"]:
                if said := damage(folder / name):
                    again = "Copy or make it again."
                    raise ValueError(f"{folder / name} is damaged: {said}. {again}") from error
            raise
        loaded.decoding = saved["decoding"] | dict(decoding or {})
        return loaded

    def _popular(self, users: np.ndarray, top: int) -> Ranked:
        """The most popular items, for each of `users`."""
        order = np.argsort(-self.catalogue.count, kind="stable")[:top]
        item = np.tile(order, (len(users), 1))
        ranked = Ranked.of_items(item, self.catalogue.count[item].astype(np.float32))
        return ranked._replace(user=users[ranked.user])


def named(name: str) -> type[Recommender]:
    """The class of the recommender `name`.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    module = registry.load("recommender", name)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Recommender)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ValueError(f"{module.__name__} must define one class that recommends.")
    classes[0].name = name
    return classes[0]


def item_vectors(folder: str | Path) -> np.ndarray:
    """float32 (items, d), items as the recommender in a folder embeds them.

    Raises:
        ValueError: it embeds no items.
    """
    folder = home(folder)
    return named(read_json(folder / FILE)["recommender"]).item_vectors(folder)


def curve(folder: str | Path) -> list[dict[str, Any]]:
    """The rows of the training that a saved recommender went through, an evaluation each.

    Raises:
        FileNotFoundError: it was not trained.
    """
    rows: list[dict[str, Any]] = read_json(home(folder) / CURVE)
    return rows


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of all files that make a recommender, by their paths in its folder."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != CURVE)
    others = (path for path in files if path != folder / FILE)
    return {path.relative_to(folder).as_posix(): fingerprint(path)["sha256"] for path in others}
