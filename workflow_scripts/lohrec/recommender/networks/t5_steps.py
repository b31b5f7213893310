"""The T5 as a beam search asks it, with all beams of a user in one decoder row (Algorithm 1)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from lohrec.common.devices import exact_products
from lohrec.identifiers.beam_search import InTree, lineage
from lohrec.identifiers.codewords import CODES
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.t5_layers import KeysValues, Real
from lohrec.recommender.networks.t5_tokens import CODEWORDS, START

if TYPE_CHECKING:
    from lohrec.recommender.networks.t5 import T5


class DecoderSteps:
    """The steps of a beam search (`identifiers.beam_search.Steps`).

    All beams of a user are places of one decoder row. They attend to the encoded history, which is
    computed once, and to their own ancestors among all earlier places.

    Args:
        free: whether a codeword may be of any level; then the level's own are 0 .. CODES - 1, and
            the following levels' come after them, the first level's after the last one's.
    """

    def __init__(self, model: "T5", history: Tensor, padded: bool, free: bool = False) -> None:
        self.model, self.history, self.padded, self.free = model, history, padded, free

    def first(self) -> Tensor:
        """Encode the histories and decode START."""
        users, device = len(self.history), self.history.device
        self.memory = self.model.encode(self.history, self.padded)
        self.depth = torch.zeros(1, dtype=torch.long, device=device)
        self.allowed = torch.ones(users, 1, 1, dtype=torch.bool, device=device)
        self.past: list[KeysValues] | None = None
        return self._log_p(0, torch.full((users, 1), START, device=device), None)

    def next(self, level: int, parent: Tensor, code: Tensor, real: Real | None = None) -> Tensor:
        """Decode the codewords just chosen.

        Args:
            level, parent, code: see `Steps`.
            real: the beams to decode, where those that go on from the others are none of them;
                any answer comes for the others. None for all.
        """
        self.allowed = lineage(self.allowed, parent)
        self.depth = torch.cat([self.depth, self.depth.new_full((parent.shape[1],), level)])
        return self._log_p(level, (code + (level - 1) * CODES) % CODEWORDS, real)

    def _log_p(self, level: int, token: Tensor, real: Real | None) -> Tensor:
        state, self.past = self.model.decode(
            token, self.depth, self.allowed, self.memory, self.past, real
        )
        if self.free:
            with exact_products():
                logits = F.linear(state, self.model.shared.weight[:CODEWORDS])
            return logits.log_softmax(-1).roll(-level * CODES, -1)
        first = self.model.first_code(level)
        return self.model.log_probabilities(state, level)[..., first : first + CODES]


class DecoderTreeSteps(InTree):
    """The same by a tree's nodes (`identifiers.beam_search.TreeSteps`), normalised over children.

    A node above a single identifier leaves no choice, and so is not decoded.
    """

    steps: DecoderSteps

    def __init__(self, model: "T5", history: Tensor, tree: PrefixTree, padded: bool) -> None:
        super().__init__(DecoderSteps(model, history, padded), tree, renormalise=True)

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Go on to the nodes."""
        choice = ~self.tree.certain(level, node)
        real = Real(choice.flatten().nonzero().flatten(), *node.shape)
        code = self.tree.code[level - 1][node.clamp(min=0)].long()
        return self._legal(level, self.steps.next(level, parent, code, real), node)
