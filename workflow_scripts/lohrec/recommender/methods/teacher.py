"""The large language model as a recommender of its own (LC-Rec, Section 4.2)."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from transformers import PreTrainedModel

from lohrec.common.artefacts import link
from lohrec.identifiers import store
from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.decoding import searched
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.lists import Ranked
from lohrec.recommender.recommender import Histories, Recommender
from lohrec.teacher.decoding import best_leaves
from lohrec.teacher.model import load_teacher
from lohrec.teacher.prompts import Words, load_words
from lohrec.teacher.tokenizers import first_codeword

SETTINGS: dict[str, Any] = {
    "constrained": {
        "type": "boolean", "default": True,
        "description": "Whether the prefix tree forbids identifiers of no item.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 64,
        "description": "Users whose lists are searched at once, in place of decoding.batch_size.",
    },
}  # fmt: skip
READS = ["ids", "teacher"]
GPU = {"recommend": "recommend_teacher"}
TRAITS = ["embeds_items", "searches_beams"]


class Teacher(Recommender):
    """A teacher that was trained before (rule `train_teacher`).

    Args:
        folder: its transformers folder.
        ids: int64 (items, levels).
        constrained: whether its beams are items only. Without it, lists may be shorter.
        device: where to compute.
    """

    def __init__(
        self,
        folder: Path,
        ids: np.ndarray,
        constrained: bool,
        device: torch.device,
    ) -> None:
        self.folder, self.ids, self.device = folder, ids, device
        self.constrained = constrained
        self.tree = PrefixTree.from_ids(ids).to(device)

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Teacher":
        """Take over the teacher that `inputs.artefacts` names (model.safetensors)."""
        folder = Path(inputs.artefacts["teacher"]).parent
        ids = store.load_ids(inputs.artefacts["ids"])
        return cls(folder, ids, settings["constrained"], inputs.device)

    @cached_property
    def network(self) -> PreTrainedModel:
        """The model, which is read when it recommends first."""
        return load_teacher(self.folder, self.device)

    @cached_property
    def words(self) -> Words | None:
        """What its prompts are made of."""
        return load_words(self.folder)

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The most probable identifiers, as items."""
        leaf, score = best_leaves(
            self.network,
            self.words,
            *histories,
            self.ids,
            self.tree,
            searched(self.decoding, top, exclude_history),
            self.constrained,
            "recommending",
        )
        excluded = histories.items if exclude_history else None
        return Ranked.of_leaves(leaf, score, self.tree, excluded)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The teacher's files, linked where the file system can, for they may be large."""
        for path in self.folder.iterdir():
            link(path, folder / path.name)
        store.save(folder, self.ids)
        return {"constrained": self.constrained}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> "Teacher":
        """All but the model itself."""
        return cls(folder, store.load(folder), saved["constrained"], device)

    @classmethod
    def item_vectors(cls, folder: Path) -> np.ndarray:
        """float32 (items, hidden), the mean of the embeddings of an item's codewords."""
        words = load_words(folder)
        first = 0 if words is None else first_codeword(words[0])
        # Of a large model's file these rows alone.
        with safe_open(folder / "model.safetensors", "pt") as file:
            rows = file.get_slice("model.embed_tokens.weight")[first : first + LEVELS * CODES]
        places = torch.from_numpy(store.load(folder) + np.arange(LEVELS) * CODES)
        vectors: np.ndarray = rows.float()[places].mean(1).numpy()
        return vectors
