"""Recommenders that are a network over items: fitted, saved and opened in one way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_networks import ItemNetwork
from lohrec.recommender.item_scores import ItemScores
from lohrec.recommender.item_training import log_probabilities, train
from lohrec.recommender.recommender import Histories

FILE = "model.safetensors"


class ItemRecommender(ItemScores):
    """A network over items, trained on the next item.

    Args:
        network: trained, on its device.
        settings: that it was built with.

    Attributes:
        network_class: set by each recommender.
    """

    network_class: ClassVar[type[ItemNetwork]]

    def __init__(self, network: ItemNetwork, settings: Mapping[str, Any]) -> None:
        self.network, self.settings = network.eval(), dict(settings)

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> Self:
        """Build the network and train it."""
        torch.manual_seed(seed)
        return cls.trained(cls.built(inputs, settings), inputs, settings, seed)

    @classmethod
    def built(cls, inputs: Inputs, settings: Mapping[str, Any]) -> ItemNetwork:
        """A new network on the device."""
        size = len(inputs.catalogue)
        return cls.network_class(size, inputs.history, settings).to(inputs.device)

    @classmethod
    def trained(
        cls, network: ItemNetwork, inputs: Inputs, settings: Mapping[str, Any], seed: int
    ) -> Self:
        """The recommender that a network becomes by training."""
        curve = train(
            network,
            inputs.train,
            inputs.dev,
            settings,
            inputs.decoding["exclude_history"],
            seed,
            inputs.checkpoint,
            inputs.code,
            inputs.trial,
        )
        found = cls(network, settings)
        found.curve = curve
        return found

    def log_probabilities(self, histories: Histories) -> Tensor:
        """The softmax of the scores of all items."""
        return log_probabilities(self.network, histories)

    def save_parts(self, folder: Path) -> dict[str, Any]:
        """The network's weights."""
        weights = self.network.state_dict()
        save_file(
            {name: value.cpu().contiguous() for name, value in weights.items()}, folder / FILE
        )
        shape = {"items": self.network.items, "history": self.network.history}
        return shape | {"settings": self.settings}

    @classmethod
    def load_parts(cls, folder: Path, saved: Mapping[str, Any], device: torch.device) -> Self:
        """Build the network and read its weights."""
        weights = load_file(folder / FILE)
        network = cls.rebuilt(saved, weights)
        network.load_state_dict(weights)
        return cls(network.to(device), saved["settings"])

    @classmethod
    def rebuilt(cls, saved: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ItemNetwork:
        """A network for saved weights; `saved` is what `save_parts` returned."""
        return cls.network_class(saved["items"], saved["history"], saved["settings"])

    @classmethod
    def item_vectors(cls, folder: Path) -> np.ndarray:
        """float32 (items, width), items as the network reads them."""
        loaded = cls.load(folder)
        assert isinstance(loaded, ItemRecommender)
        every = torch.arange(loaded.network.items)
        vectors: np.ndarray = loaded.network.embed(every).detach().numpy()
        return vectors
