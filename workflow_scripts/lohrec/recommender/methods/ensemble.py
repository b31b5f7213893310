"""Several recommenders as one: the mean of their probabilities of items."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common import artefacts
from lohrec.common.artefacts import read_json
from lohrec.identifiers import store, user_lists
from lohrec.identifiers.beam_search import TreeSteps, tree_search
from lohrec.identifiers.mixtures import ItemSteps, Mixture
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import searched
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_scores import ItemScores
from lohrec.recommender.lists import Ranked
from lohrec.recommender.places import FILE, home
from lohrec.recommender.recommender import Histories, Recommender

SETTINGS: dict[str, Any] = {}
READS = ["ids"]
GPU = {"recommend": "recommend"}
TRAITS = ["teaches", "takes_items", "searches_beams"]


class Ensemble(Recommender):
    """A beam search over what all members say of a prefix together.

    Args:
        members: recommenders with the trait `teaches`, in groups of one row's seeds. Each group
            counts alike, and so does each member of a group.
        ids: int64 (items, levels).
        device: where to compute.

    Attributes:
        folders: where the members were loaded from, in their order; empty where that is unknown.
    """

    folders: Sequence[Path] = ()

    def __init__(
        self, members: list[list[Recommender]], ids: np.ndarray, device: torch.device
    ) -> None:
        self.members, self.ids = members, ids
        self.tree = PrefixTree.from_ids(ids).to(device)

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Ensemble":
        """Put trained recommenders together; `inputs.artefacts` names the folders of `members`."""
        groups: dict[Any, list[Path]] = {}
        for folder in map(home, inputs.artefacts["members"]):
            row = read_json(folder / FILE)["made"].get("variant")
            groups.setdefault(row, []).append(folder)
        members = [[Recommender.load(one, inputs.device) for one in g] for g in groups.values()]
        mixed = cls(members, store.load_ids(inputs.artefacts["ids"]), inputs.device)
        mixed.folders = [folder for group in groups.values() for folder in group]
        return mixed

    def steps(self, histories: Histories, tree: PrefixTree) -> TreeSteps:
        """The mean over groups of the mean over their members.

        Those that compute all items' probabilities become one distribution first.
        """
        steps: list[TreeSteps] = []
        weights: list[float] = []
        of_items: Tensor | None = None
        for group in self.members:
            weight = 1 / len(self.members) / len(group)
            for member in group:
                if isinstance(member, ItemScores):
                    with torch.inference_mode():
                        log_p = member.log_probabilities(histories).to(tree.item.device)
                    share = weight * log_p.exp()
                    of_items = share if of_items is None else of_items + share
                else:
                    steps.append(member.steps(histories, tree))
                    weights.append(weight)
        if of_items is not None:
            steps.append(ItemSteps(of_items.log(), tree))
            weights.append(1.0 - sum(weights))
        return Mixture(steps, tree, weights)

    def at_once(self, wanted: int) -> int:
        """As many as each of its members takes."""
        return min(member.at_once(wanted) for group in self.members for member in group)

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The identifiers with the greatest mean probability, as items."""
        decoding = searched(self.decoding, top, exclude_history)
        decoding["batch_size"] = self.at_once(decoding["batch_size"])

        def search(users: np.ndarray, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
            steps = self.steps(
                Histories(histories.items[users], histories.length[users]), self.tree
            )
            best = tree_search(steps, self.tree, decoding["beams"], excluded)
            return best.leaf, best.score

        leaf, score = user_lists.best_leaves(
            search, *histories, self.tree, decoding, "recommending"
        )
        excluded = histories.items if exclude_history else None
        return Ranked.of_leaves(leaf, score, self.tree, excluded)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """A folder for each member, and the identifiers."""
        for number, member in enumerate(m for group in self.members for m in group):
            if not self.folders:
                member.save(folder / str(number))
                continue
            # As they are on disk already: some are gigabytes.
            for path in self.folders[number].rglob("*"):
                if path.is_file():
                    to = folder / str(number) / path.relative_to(self.folders[number])
                    artefacts.link(path, to)
        store.save(folder, self.ids)
        return {"groups": [len(group) for group in self.members]}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> "Ensemble":
        """Read all."""
        numbers = count()
        members = [
            [Recommender.load(folder / str(next(numbers)), device) for _ in range(size)]
            for size in saved["groups"]
        ]
        return cls(members, store.load(folder), device)
