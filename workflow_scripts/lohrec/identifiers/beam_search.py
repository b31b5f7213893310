"""Beam search over identifiers, for every network and with or without a tree (Algorithm 1)."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree


class Steps(Protocol):
    """A network that reads histories once and then predicts codeword after codeword.

    It keeps what it computed for all beams of all earlier steps: a beam is told by its parent's
    number among those of the step before, so nothing has to be copied or reordered.
    """

    def first(self) -> Tensor:
        """Log-probabilities of the first codeword, float (users, 1, codewords)."""
        ...

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Log-probabilities of the codeword of `level`, float (users, beams, codewords).

        Args:
            level: 1 .. levels - 1, rising from call to call.
            parent: int64 (users, beams), the beam of the step before that each beam goes on from.
            code: int64 (users, beams), its codeword of `level` - 1: a place among those whose
                probabilities that step returned; any answer may come for a beam without a node.
        """
        ...


class TreeSteps(Protocol):
    """Probabilities of a prefix tree's nodes, one level after the other.

    `first` begins anew, so that one object serves several walks.
    """

    def first(self) -> Tensor:
        """Log-probabilities of the root's children, float (users, 1, children)."""
        ...

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Log-probabilities of the children of nodes, float (users, beams, most children).

        Args:
            level: 1 .. levels - 1, rising from call to call: the depth of the nodes.
            parent: int64 (users, beams), the beam of the step before that each beam goes on from.
            node: int64 (users, beams), the child of that beam's node; any answer may come for -1.

        Returns:
            in the order of `PrefixTree.below`. Where that has -1 any number may stand; -inf
            beside children whose probabilities add up to 1.
        """
        ...


class InTree:
    """The steps of a network through a tree: of its codewords those that lead to a child.

    Args:
        steps: of the network.
        tree: the legal identifiers.
        renormalise: whether probabilities are normalised over the children of a node. As
            Algorithm 1 has it, they are not: a prefix loses what illegal children would get.
    """

    def __init__(self, steps: Steps, tree: PrefixTree, renormalise: bool) -> None:
        self.steps, self.tree, self.renormalise = steps, tree, renormalise

    def first(self) -> Tensor:
        """Of the first codeword."""
        log_p = self.steps.first()
        return self._legal(0, log_p, log_p.new_zeros(len(log_p), 1, dtype=torch.long))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Add the codewords that lead to nodes."""
        code = self.tree.code[level - 1][node.clamp(min=0)].long()
        return self._legal(level, self.steps.next(level, parent, code), node)

    def _legal(self, level: int, log_p: Tensor, node: Tensor) -> Tensor:
        child = self.tree.below(level, node)
        log_p = log_p.gather(-1, self.tree.code[level][child.clamp(min=0)].long())
        if not self.renormalise:
            return log_p
        return log_p.masked_fill(child < 0, -torch.inf).log_softmax(-1)


class Beams(NamedTuple):
    """The beams of every user, from the most probable on.

    Attributes:
        score: float (users, beams), log-probabilities; -inf where there are fewer beams.
        leaf: int64 (users, beams), leaves of the tree, which tell the codewords; -1 where there are
            fewer.
    """

    score: Tensor
    leaf: Tensor


class FreeBeams(NamedTuple):
    """The beams of every user where there is no tree, from the most probable on.

    Attributes:
        score: float (users, beams), log-probabilities; -inf where there are fewer beams.
        code: int64 (users, beams, levels), codewords; -1 where there are fewer.
    """

    score: Tensor
    code: Tensor


def beam_search(
    steps: Steps,
    tree: PrefixTree,
    beams: int,
    excluded: Tensor | None = None,
    renormalise: bool = False,
) -> Beams:
    """The most probable identifiers of every user, by what a network says; none comes twice.

    Args:
        steps: the network and the users' histories.
        tree, beams, excluded: see `tree_search`.
        renormalise: see `InTree`.
    """
    return tree_search(InTree(steps, tree, renormalise), tree, beams, excluded)


@torch.inference_mode()
def free_search(steps: Steps, beams: int) -> FreeBeams:
    """The same without a tree: every codeword that the network knows may follow."""
    log_p = steps.first()
    score = log_p.new_zeros(len(log_p), 1)
    code = torch.empty(len(log_p), 1, 0, dtype=torch.long, device=log_p.device)
    for level in range(LEVELS):
        total = (score.unsqueeze(-1) + log_p).flatten(1)
        score, index = total.topk(min(beams, total.shape[1]))
        parent, chosen = index // log_p.shape[-1], index % log_p.shape[-1]
        code = torch.cat([along(code, parent), chosen.unsqueeze(-1)], -1)
        if level < LEVELS - 1:
            log_p = steps.next(level + 1, parent, chosen)
    missing = beams - score.shape[1]
    score = F.pad(score, (0, missing), value=-torch.inf)
    return FreeBeams(score, F.pad(code, (0, 0, 0, missing), value=-1))


@torch.inference_mode()
def tree_search(
    steps: TreeSteps, tree: PrefixTree, beams: int, excluded: Tensor | None = None
) -> Beams:
    """The most probable leaves of every user (Algorithm 1).

    Args:
        steps: probabilities of the tree's nodes.
        tree: the legal identifiers.
        beams: beam width; where there are fewer nodes, all of them are kept.
        excluded: int64 (users, n), leaves that are left out; -1 for none. A node above such leaves
            alone takes no beam.
    """
    log_p = steps.first()
    score = log_p.new_zeros(len(log_p), 1)
    node = torch.zeros_like(score, dtype=torch.long)
    exhausted = None if excluded is None else tree.exhausted(excluded)
    for level in range(tree.levels):
        child = tree.below(level, node)
        total = (score.unsqueeze(-1) + log_p).masked_fill_(child < 0, -torch.inf).flatten(1)
        width = beams if exhausted is None else beams + exhausted[level].shape[1]
        score, index = total.topk(min(width, total.shape[1]))
        if exhausted is not None:
            reached = child.flatten(1).gather(1, index).unsqueeze(-1)
            dropped = (reached == exhausted[level].unsqueeze(1)).any(-1)
            score, order = score.masked_fill(dropped, -torch.inf).topk(min(beams, score.shape[1]))
            index = index.gather(1, order)
        node = child.flatten(1).gather(1, index).masked_fill(score == -torch.inf, -1)
        if level < tree.levels - 1:
            log_p = steps.next(level + 1, index // child.shape[-1], node)
    missing = beams - score.shape[1]
    score = F.pad(score, (0, missing), value=-torch.inf)
    return Beams(score, F.pad(node, (0, missing), value=-1))


def along(value: Tensor, beam: Tensor) -> Tensor:
    """value[user, beam[user]] for (users, beams, n)."""
    row = torch.arange(len(value), device=value.device).unsqueeze(1) * value.shape[1]
    return (
        value.flatten(0, 1)
        .index_select(0, (beam + row).flatten())
        .view(*beam.shape, value.shape[-1])
    )


def lineage(ancestors: Tensor, parent: Tensor) -> Tensor:
    """Which places new beams attend to, where all beams of all steps are places of one row.

    Args:
        ancestors: bool (users, beams, places), the same of the step before.
        parent: int64 (users, new), the beam of the step before that each new one goes on from.

    Returns:
        bool (users, new, places + new): the parent's ancestors, the parent and the new beam itself.
    """
    itself = torch.eye(parent.shape[1], dtype=torch.bool, device=parent.device)
    return torch.cat([along(ancestors, parent), itself.expand(len(parent), -1, -1)], -1)
