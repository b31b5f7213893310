"""The compact network as a beam search asks it: a small head for every prefix (Algorithm 1)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lohrec.identifiers.beam_search import along
from lohrec.identifiers.prefix_tree import PrefixTree

if TYPE_CHECKING:
    from lohrec.recommender.networks.compact import Compact


class HeadSteps:
    """The steps of a beam search (`identifiers.beam_search.Steps`)."""

    def __init__(self, model: "Compact", history: Tensor) -> None:
        self.model, self.history = model, history

    def first(self) -> Tensor:
        """Read the histories."""
        self.state = self.model.read(self.history).unsqueeze(1)
        self.pairs = self.model.pair_logits(self.state[:, 0])
        return self.model.logits(0, self.state).log_softmax(-1)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Add the codewords just chosen."""
        self.state = self.model.further(level, along(self.state, parent), code)
        logits = self.model.logits(level, self.state)
        if level == 1:
            example = torch.arange(len(code), device=code.device).unsqueeze(1).expand_as(code)
            logits = logits + self.model.second(self.pairs, example, code)
        return logits.log_softmax(-1)


class HeadTreeSteps:
    """The same by a tree's nodes (`identifiers.beam_search.TreeSteps`), normalised over children.

    A node above a single identifier leaves no choice, and so the network is not asked.
    """

    def __init__(self, model: "Compact", history: Tensor, tree: PrefixTree) -> None:
        self.model, self.history, self.tree = model, history, tree

    def first(self) -> Tensor:
        """Read the histories."""
        state = self.model.read(self.history)
        # Of pairs of codewords, the tree has its nodes of depth 2.
        tree, device = self.tree, state.device
        of_first = torch.arange(len(tree.code[0]), device=device)
        first = tree.code[0][of_first.repeat_interleave(tree.first[1].diff())]
        place = self.model.place_of(first.long(), tree.code[1].long())
        self.pairs, self.state = self.model.pair_logits(state, place), state.unsqueeze(1)
        return self._log_p(0, torch.zeros(len(state), 1, dtype=torch.long, device=device))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Go on to the nodes."""
        code = self.tree.code[level - 1][node.clamp(min=0)].long()
        self.state = self.model.further(level, along(self.state, parent), code)
        return self._log_p(level, node)

    def _log_p(self, level: int, node: Tensor) -> Tensor:
        tree = self.tree
        certain = tree.certain(level, node)
        beam = (~certain).flatten().nonzero().flatten()
        child = tree.below(level, node.flatten()[beam])
        real = child.clamp(min=0)
        logits = self.model.logits(level, self.state.flatten(0, 1).index_select(0, beam))
        logits = logits.gather(-1, tree.code[level][real].long())
        if level == 1:
            user = (beam // node.shape[1]).unsqueeze(1)
            logits += self.pairs.take(real + user * self.pairs.shape[1])
        log_p = logits.masked_fill_(child < 0, -torch.inf).log_softmax(-1)
        every = log_p.new_full((node.numel(), tree.widest[level]), -torch.inf)
        every[:, 0] = 0.0
        return every.index_copy_(0, beam, log_p).view(*node.shape, tree.widest[level])
