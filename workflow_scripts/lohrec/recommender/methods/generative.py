"""Generative retrieval: a network writes an item's semantic ID codeword by codeword (Section 3)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from lohrec.common.artefacts import whole
from lohrec.configuration import registry
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import decoding
from lohrec.recommender.beam_items import labels
from lohrec.recommender.leaves import ranked_leaves
from lohrec.recommender.lists import Ranked
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.recommender import Histories, Inputs, Recommender
from lohrec.recommender.training import train
from lohrec.recommender.training_data import TrainingData

SETTINGS: dict[str, Any] = {}
READS = ["ids"]
IDENTIFIERS = "identifiers.safetensors"


class Generative(Recommender):
    """A lightweight recommender over semantic IDs.

    Args:
        network: name and trained weights of a module in `recommender/networks`.
        ids: int64 (items, levels).
    """

    def __init__(self, network: T5, ids: np.ndarray, device: torch.device) -> None:
        self.network, self.ids = network.to(device).eval(), ids
        self.tree = PrefixTree.from_ids(ids).to(device)
