"""Networks over items that read the items' attributes: the codewords of their semantic IDs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lohrec.identifiers import store
from lohrec.identifiers.codewords import LEVELS, token_table
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_networks import CausalNetwork, ItemNetwork
from lohrec.recommender.item_recommender import ItemRecommender


class AttributeNetwork(CausalNetwork):
    """See `ItemNetwork` for the arguments.

    Attributes:
        attributes: int64 (items + 1, attributes), a row of padding last; set before training.
    """

    attributes: Tensor

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        self.register_buffer("attributes", torch.zeros(items + 1, LEVELS, dtype=torch.int64))


class AttributeRecommender(ItemRecommender):
    """A recommender whose network is an `AttributeNetwork`."""

    @classmethod
    def built(cls, inputs: Inputs, settings: Mapping[str, Any]) -> ItemNetwork:
        """A new network that knows the items' attributes."""
        network = super().built(inputs, settings)
        table = token_table(store.load_ids(inputs.artefacts["ids"]))
        network.get_buffer("attributes").copy_(torch.from_numpy(table))
        return network
