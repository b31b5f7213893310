"""Generative retrieval: a network writes an item's semantic ID codeword by codeword (Section 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.common import artefacts
from lohrec.configuration import registry
from lohrec.identifiers import rqvae, store, text_encoder
from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.codewords import token_table
from lohrec.identifiers.mixtures import with_new
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import networks
from lohrec.recommender.beam_items import labels
from lohrec.recommender.decoding import best_leaves, searched
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.lists import Ranked
from lohrec.recommender.networks import CodewordNetwork
from lohrec.recommender.places import home
from lohrec.recommender.recommender import Histories, Recommender
from lohrec.recommender.training import train
from lohrec.recommender.training_data import TrainingData

SETTINGS: dict[str, Any] = {}
READS = ["ids", "encoder"]
PATHS = {"examples": "examples", "prior": "prior", "teacher": "probabilities"}  # of TrainingData
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches", "takes_items", "searches_beams"]


class Generative(Recommender):
    """A lightweight recommender over semantic IDs.

    Args:
        network: trained.
        kind: its name, a module of `recommender/networks`.
        ids: int64 (items, levels).
        device: where to compute.
        encoder: files of what made the identifiers of texts, where it is known.
        trained: how many items, the first, were in training; None for all. Without the others'
            quantiser among the files of `encoder` there can be none.
    """

    def __init__(
        self,
        network: CodewordNetwork,
        kind: str,
        ids: np.ndarray,
        device: torch.device,
        encoder: Sequence[Path] = (),
        trained: int | None = None,
    ) -> None:
        self.network, self.kind, self.ids = network.to(device).eval(), kind, ids
        self.encoder, self.trained = encoder, trained
        tree = PrefixTree.from_ids(ids)
        if trained is not None:
            (quantiser,) = (path for path in encoder if path.name == text_encoder.RQVAE)
            tree = tree.with_new(trained, rqvae.nearness(rqvae.load(quantiser)))
        self.tree = tree.to(device)

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> "Generative":
        """Train the network of a variant's row.

        Args:
            inputs: with the artefacts `ids` and, as the row asks for them, `probabilities` (of the
                teacher), `beams` (its raw ones), `prior` (ordered candidates), `start` (the
                folder of the recommender to go on from) and `encoder` (files, kept with it).
            settings: `network` (its `name` and shape), `training` and `objective` (`loss`,
                `learns`, the weights `generation` and `ranking`, and `losses`).
            seed: of weights, order and dropout.
        """
        paths, shape, objective = inputs.artefacts, settings["network"], settings["objective"]
        kind, learns = shape["name"], objective["learns"]
        ids, taught = store.load_ids(paths["ids"]), inputs.train
        learned = None
        if learns != "next_item":
            beams = np.load(paths["beams"], mmap_mode="r")
            learned = labels(beams, taught.target, ids, learns.removeprefix("teacher_"), seed)
        ranked = objective["losses"].get("margin_ranking", {}).get("candidates")
        prior = _mapped(paths.get("prior"))
        share = objective["losses"].get("distilled", {}).get("share", 1.0)
        # The same order for every share: a smaller one has a part of a larger one's examples. An
        # epoch's order is drawn by two numbers.
        drawn = np.random.default_rng([seed, 0, 2]).random(len(taught))
        shared = registry.load("network", kind).Network.shares_rows(shape)
        data = TrainingData(
            taught.aligned() if shared else taught,
            ids,
            None if prior is None else prior[:, :ranked],
            _mapped(paths.get("probabilities")),
            shared=shared,
            labels=learned,
            taught=drawn < share if share < 1 else None,
            dropped=settings["training"]["dropped_items"],
            files={name: str(paths[key]) for name, key in PATHS.items() if key in paths},
        )
        start = networks.load(kind, home(paths["start"])) if "start" in paths else None
        network, curve = train(
            data,
            inputs.dev,
            shape,
            settings["training"],
            objective,
            inputs.decoding,
            seed,
            inputs.device,
            start,
            inputs.checkpoint,
            inputs.code,
            inputs.trial,
        )
        encoder = [Path(path) for path in paths.get("encoder", ())]
        trained = cls(network, kind, ids, inputs.device, encoder)
        trained.curve = curve.to_pylist()
        return trained

    def rank(self, histories: Histories, top: int, exclude_history: bool) -> Ranked:
        """The most probable identifiers (Algorithm 1), as items."""
        decoding = searched(self.decoding, top, exclude_history)
        leaf, score = best_leaves(
            self.network, *histories, self.ids, self.tree, decoding, "recommending"
        )
        excluded = histories.items if exclude_history else None
        return Ranked.of_leaves(leaf, score, self.tree, excluded)

    def steps(self, histories: Histories, tree: PrefixTree) -> TreeSteps:
        """Those of the network.

        Raises:
            ValueError: it has learned other identifiers.
        """
        if not self.tree.same_as(tree):
            raise ValueError("A recommender has learned other identifiers; fit it again.")
        tokens = token_table(self.ids)[histories.items[:, : histories.length.max()]]
        history = torch.from_numpy(tokens.reshape(len(tokens), -1)).to(tree.item.device)
        return with_new(self.network.tree_steps(history, self.tree, True), self.tree)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The network, for transformers where that knows it, the identifiers, what made them."""
        self.network.save(folder)
        store.save(folder, self.ids, self.trained)
        for path in self.encoder:
            artefacts.link(path, folder / text_encoder.FOLDER / path.name)
        return {"network": self.kind}

    @classmethod
    def load_parts(
        cls, folder: Path, saved: Mapping[str, Any], device: torch.device
    ) -> "Generative":
        """Read network and identifiers."""
        kind = saved["network"]
        encoder = sorted((folder / text_encoder.FOLDER).glob("*.safetensors"))
        ids, trained = store.load(folder), store.trained(folder)
        return cls(networks.load(kind, folder), kind, ids, device, encoder, trained)

    @classmethod
    def item_vectors(cls, folder: Path) -> np.ndarray:
        """float32 (items, d), items as the network embeds them."""
        loaded = cls.load(folder)
        assert isinstance(loaded, Generative)
        return loaded.network.embed(torch.from_numpy(loaded.ids)).numpy()


def _mapped(path: str | None) -> np.ndarray | None:
    return None if path is None else np.load(path, mmap_mode="r")
