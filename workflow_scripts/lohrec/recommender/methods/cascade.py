"""Retriever and ranker: one recommender finds candidates, another orders them (DTR, 3.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.recommender.decoding import best_leaves, searched
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.lists import Ranked
from lohrec.recommender.methods.generative import Generative
from lohrec.recommender.recommender import Histories, Recommender

SETTINGS: dict[str, Any] = {}
ROLES = ("retriever", "ranker")
GPU = {"recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "takes_items", "searches_beams"]


class Cascade(Recommender):
    """Two generative recommenders over the same identifiers.

    Args:
        retriever: finds `decoding.rerank` candidates by beam search.
        ranker: orders them by its own probabilities (Eq. 13).
    """

    def __init__(self, retriever: Generative, ranker: Generative) -> None:
        self.retriever, self.ranker = retriever, ranker

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Cascade":
        """Put two trained recommenders together; `inputs.artefacts` names their folders.

        Raises:
            ValueError: a part is not generative, or the parts have other identifiers.
        """
        parts = [_generative(Path(inputs.artefacts[role]), inputs.device) for role in ROLES]
        if not np.array_equal(parts[0].ids, parts[1].ids):
            folders = " and ".join(f"{role} ({inputs.artefacts[role]})" for role in ROLES)
            raise ValueError(f"{folders} have other identifiers; fit both again.")
        return cls(*parts)

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The retriever's candidates in the ranker's order."""
        decoding = searched(self.decoding, top, exclude_history, self.decoding["rerank"])
        tree = self.retriever.tree
        leaf, score = best_leaves(
            self.retriever.network,
            *histories,
            self.retriever.ids,
            tree,
            decoding,
            "recommending",
            self.ranker.network,
        )
        excluded = histories.items if exclude_history else None
        return Ranked.of_leaves(leaf, score, tree, excluded)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """A folder for each role."""
        for role, part in zip(ROLES, (self.retriever, self.ranker), strict=True):
            part.save(folder / role)
        return {}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> "Cascade":
        """Read both."""
        return cls(*(_generative(folder / role, device) for role in ROLES))

    @classmethod
    def item_vectors(cls, folder: Path) -> np.ndarray:
        """Those of the ranker, which decides the order."""
        return Generative.item_vectors(folder / "ranker")


def _generative(folder: Path, device: torch.device) -> Generative:
    part = Recommender.load(folder, device)
    if not isinstance(part, Generative):
        raise ValueError(f"A cascade is made of generative recommenders; {folder} holds another.")
    return part
