"""The compact network as a beam search asks it: a small head for every prefix (Algorithm 1)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from lohrec.common.few_shapes import few_shapes
from lohrec.identifiers.beam_search import along
from lohrec.identifiers.codewords import CODES
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks.compact_layers import SHAPES, FeedForward, SumForward

if TYPE_CHECKING:
    from lohrec.recommender.networks.compact import Compact

AT_ONCE = 512  # prefixes: what is computed of them stays in a CPU's cache


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

    A prefix is the rows of a table whose sum is its state: the history's and its codewords'. A node
    above a single identifier leaves no choice, and so the network is not asked.
    """

    def __init__(self, model: "Compact", history: Tensor, tree: PrefixTree) -> None:
        self.model, self.history, self.tree = model, history, tree

    def first(self) -> Tensor:
        """Read the histories."""
        state = self.model.read(self.history)
        self.table = torch.cat([state, self.model.prefix.weight])
        # Of pairs of codewords, the tree has its nodes of depth 2.
        tree, device = self.tree, state.device
        of_first = torch.arange(len(tree.code[0]), device=device)
        first = tree.code[0][of_first.repeat_interleave(tree.first[1].diff())]
        place = self.model.place_of(first.long(), tree.code[1].long())
        self.pairs = self.model.pair_logits(state, place)
        self.rows = torch.arange(len(state), device=device).view(-1, 1, 1)
        return self._log_p(0, torch.zeros_like(self.rows[..., 0]))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Go on to the nodes."""
        code = self.tree.code[level - 1][node.clamp(min=0)].long()
        row = len(self.history) + (level - 1) * CODES + code
        self.rows = torch.cat([along(self.rows, parent), row.unsqueeze(-1)], -1)
        return self._log_p(level, node)

    def _log_p(self, level: int, node: Tensor) -> Tensor:
        tree, rows = self.tree, self.rows.flatten(0, 1)
        beam = (~tree.certain(level, node)).flatten().nonzero().flatten()
        head = self._head(level, len(beam))
        log_p = self.table.new_full((node.numel(), tree.widest[level]), -torch.inf)
        log_p[:, 0] = 0.0
        at_once = AT_ONCE if node.device.type == "cpu" else max(len(beam), 1)
        for some in beam.split(at_once):
            child = tree.below(level, node.flatten()[some])
            real = child.clamp(min=0)
            padded = few_shapes(rows.index_select(0, some), SHAPES)
            logits = self.model.read_out(level, head(padded)[: len(some)])
            logits = logits.gather(-1, tree.code[level][real].long())
            if level == 1:
                user = (some // node.shape[1]).unsqueeze(1)
                logits += self.pairs.take(real + user * self.pairs.shape[1])
            logits = logits.masked_fill_(child < 0, -torch.inf).log_softmax(-1)
            log_p.index_copy_(0, some, logits)
        return log_p.view(*node.shape, tree.widest[level])

    def _head(self, level: int, prefixes: int) -> Callable[[Tensor], Tensor]:
        """The level's head, which is asked of so many prefixes, each told by its rows."""
        part = cast(FeedForward, self.model.heads[level])
        table = self.table[: len(self.history) + level * CODES]
        if prefixes > 2 * len(table):  # else a product for each row of the table saves nothing
            return SumForward(part, table)
        return lambda rows: part(F.embedding_bag(rows, table, mode="sum"))
