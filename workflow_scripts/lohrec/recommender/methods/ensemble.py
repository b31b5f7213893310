"""Several recommenders as one: the mean of their probabilities of items."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.identifiers import store, user_lists
from lohrec.identifiers.beam_search import Steps, beam_search
from lohrec.identifiers.mixtures import Mixture
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import searched
from lohrec.recommender.lists import Ranked
from lohrec.recommender.recommender import Histories, Inputs, Recommender

SETTINGS: dict[str, Any] = {}
READS = ["ids"]
GPU = {"recommend": "recommend"}
TRAITS = ["teaches", "takes_items"]


class Ensemble(Recommender):
    """A beam search over what all members say of a prefix together.

    Args:
        members: recommenders with the trait `teaches`.
        ids: int64 (items, levels).
        device: where to compute.
    """

    def __init__(self, members: list[Recommender], ids: np.ndarray, device: torch.device) -> None:
        self.members, self.ids = members, ids
        self.tree = PrefixTree.from_ids(ids).to(device)

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Ensemble":
        """Put trained recommenders together; `inputs.artefacts` names the folders of `members`."""
        folders, ids = inputs.artefacts["members"], store.load_ids(inputs.artefacts["ids"])
        members = [Recommender.load(folder, inputs.device) for folder in folders]
        return cls(members, ids, inputs.device)

    def steps(self, histories: Histories, tree: PrefixTree) -> Steps:
        """The mean of the members'."""
        return Mixture([member.steps(histories, tree) for member in self.members], tree)

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The identifiers with the greatest mean probability, as items."""
        decoding = searched(self.decoding, top, exclude_history)

        def search(users: np.ndarray, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
            steps = self.steps(
                Histories(histories.items[users], histories.length[users]), self.tree
            )
            best = beam_search(steps, self.tree, decoding["beams"], excluded, renormalise=True)
            return best.leaf, best.score

        leaf, score = user_lists.best_leaves(
            search, *histories, self.tree, decoding, "recommending"
        )
        excluded = histories.items if exclude_history else None
        return Ranked.of_leaves(leaf, score, self.tree, excluded)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """A folder for each member, and the identifiers."""
        for number, member in enumerate(self.members):
            member.save(folder / str(number))
        store.save(folder, self.ids)
        return {"members": len(self.members)}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> "Ensemble":
        """Read all."""
        numbers = range(saved["members"])
        members = [Recommender.load(folder / str(number), device) for number in numbers]
        return cls(members, store.load(folder), device)
