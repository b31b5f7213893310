"""Networks of generative recommenders; a name is a module, which calls its class `Network`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from lohrec.configuration import registry
from lohrec.identifiers.beam_search import InTree, Steps, TreeSteps
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.training_data import Batch


class Scored(NamedTuple):
    """Log-probabilities of candidates.

    Attributes:
        total: float (batch, candidates), log P of each candidate (the sum of Eq. 13).
        along: float (batch, levels, codewords), log-probabilities of all codewords along the first
            candidate; -inf where the network is `legal` and no item has them.
    """

    total: Tensor
    along: Tensor


class CodewordNetwork(nn.Module, ABC):
    """A network that predicts codeword after codeword of the next item.

    Attributes:
        config: its settings.
    """

    config: dict[str, Any]

    @property
    def legal(self) -> bool:
        """Whether probabilities are normalised over the codewords that some item has."""
        return bool(self.config["codewords"] == "legal")

    @classmethod
    def new(cls, config: dict[str, Any], ids: Tensor) -> Self:
        """An untrained network for items of these identifiers, int (items, levels)."""
        return cls(config)

    @classmethod
    def shares_rows(cls, config: dict[str, Any]) -> bool:
        """Whether a network with these settings reads histories that are prefixes of one row at
        once, each as if alone (`Batch.row`)."""
        return False

    @abstractmethod
    def score(self, batch: Batch, tree: PrefixTree) -> Scored:
        """Log-probabilities of a batch's candidates after its histories.

        Args:
            tree: of all identifiers, on the batch's device.
        """

    @abstractmethod
    def steps(self, history: Tensor, padded: bool = True) -> Steps:
        """What a beam search asks of the network.

        Args:
            history: int64 tokens (users, tokens), PAD on the right.
            padded: False promises that there is no PAD.
        """

    def tree_steps(
        self, history: Tensor, tree: PrefixTree, renormalise: bool, padded: bool = True
    ) -> TreeSteps:
        """The same of a search in a tree; a network may know more about it than `InTree` does.

        Args:
            history, padded: see `steps`.
            tree, renormalise: see `InTree`.
        """
        return InTree(self.steps(history, padded), tree, renormalise)

    def free_steps(self, history: Tensor) -> Steps:
        """What a search asks that may write any codeword for which the network has a logit.

        A step's last dimension has the level's own codewords first; those of other levels follow,
        where the output layer has them. This one is of a network with an output layer a level.

        Args:
            history: int64 tokens (users, tokens), PAD on the right.
        """
        return self.steps(history)

    @abstractmethod
    def first_code(self, level: int) -> int:
        """Where a level's codeword 0 stands in the last dimension of `Scored.along`."""

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Items as the network knows them, float (items, d), of identifiers (items, levels)."""

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write settings and weights."""

    @classmethod
    @abstractmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a folder written by `save`, in evaluation mode."""


def build(config: Mapping[str, Any], ids: Tensor) -> CodewordNetwork:
    """A new network: its `name` and its settings, for items of these identifiers."""
    network: CodewordNetwork = registry.load("network", config["name"]).Network.new(config, ids)
    return network


def load(kind: str, folder: str | Path) -> CodewordNetwork:
    """The trained network `kind` in a folder that its `save` left."""
    network: CodewordNetwork = registry.load("network", kind).Network.load(folder)
    return network
