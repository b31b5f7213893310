"""Item cosine: neighbours of the history's items (Sarwar et al., WWW 2001).

W_kj = n_kj / sqrt(n_k n_j), k != j, with n_kj the users who had both items in training, and n_k
those who had k.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from lohrec.data.cooccurrence import cooccurrences, users_items
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_weights import ItemWeights, popularity

SETTINGS: dict[str, Any] = {}
TRAITS = ["teaches"]


class ItemCosine(ItemWeights):
    """See `ItemWeights`."""

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> Self:
        """Count pairs."""
        items = len(inputs.catalogue)
        count = users_items(inputs.train, items).sum(0)
        scale = 1 / np.sqrt(np.maximum(count, 1)).astype(np.float32)
        weights = cooccurrences(inputs.train, items).astype(np.float32)
        weights.data *= np.repeat(scale, np.diff(weights.indptr)) * scale[weights.indices]
        found = cls(weights, popularity(inputs.catalogue.count))
        found.fit_probabilities(inputs.dev, inputs.decoding["exclude_history"])
        return found
