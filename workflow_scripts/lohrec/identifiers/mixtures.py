"""Distributions over items as a beam search asks for them, one codeword after the other.

Whatever tells a probability of every item tells that of every prefix, the sum over the items below
it, and so of every codeword after a prefix. The mean of several recommenders' probabilities is
again such a distribution.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lohrec.identifiers.beam_search import Steps, along
from lohrec.identifiers.prefix_tree import PrefixTree


class ItemSteps:
    """The steps of a beam search (`beam_search.Steps`) by probabilities of items.

    Args:
        log_p: float (users, items), log-probabilities of items.
        tree: of the items' identifiers, on the same device.
    """

    def __init__(self, log_p: Tensor, tree: PrefixTree) -> None:
        self.tree = tree
        of_leaf = log_p.new_zeros(len(log_p), tree.leaves, dtype=torch.double)
        of_leaf.index_add_(1, tree.leaf_of_item, log_p.double().softmax(-1))
        # Leaves below a prefix are a range, whose probability is the difference of two sums: in
        # double precision, because the least probable are small beside the sums.
        zero = of_leaf.new_zeros(len(log_p), 1)
        self.up_to = torch.cat([zero, of_leaf.cumsum(1)], 1)

    def first(self) -> Tensor:
        """Of the first codeword."""
        self.node = torch.zeros(len(self.up_to), 1, dtype=torch.long, device=self.up_to.device)
        return self._log_p(0)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Go down to the nodes just chosen."""
        self.node = self.tree.child(level - 1, self.node.gather(1, parent), code)
        return self._log_p(level)

    def _log_p(self, level: int) -> Tensor:
        child = self.tree.children(level, self.node)
        first, below = self.tree.first_leaf[level + 1], child.clamp(min=0)
        ends = torch.stack([first[below], first[below + 1]]).long().flatten(2)
        low, high = (self.up_to.gather(1, end) for end in ends)
        mass = (high - low).clamp(min=1e-30).view(child.shape)
        return mass.log().masked_fill(child < 0, -torch.inf).log_softmax(-1).float()


class Mixture:
    """The steps of a beam search by the mean of several recommenders' probabilities of items.

    A member's share in a prefix is its probability of that prefix, so that the mean is one of whole
    items. The probabilities of each are normalised over the codewords that some item has.

    Args:
        members: of the same users.
        tree: of all identifiers, on the same device.
    """

    def __init__(self, members: Sequence[Steps], tree: PrefixTree) -> None:
        self.members, self.tree = members, tree

    def first(self) -> Tensor:
        """Of the first codeword."""
        log_p = [member.first() for member in self.members]
        self.node = torch.zeros(log_p[0].shape[:2], dtype=torch.long, device=log_p[0].device)
        # Per member, the log-probability of every beam's prefix, (members, users, beams).
        self.prefix = torch.zeros(len(log_p), *self.node.shape, device=self.node.device)
        return self._mean(0, log_p)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Let every member add the codewords just chosen."""
        chosen = [
            along(log_p, parent).gather(-1, code.unsqueeze(-1)).squeeze(-1) for log_p in self.log_p
        ]
        before = [prefix.gather(1, parent) for prefix in self.prefix]
        self.prefix = torch.stack(before) + torch.stack(chosen)
        self.node = self.tree.child(level - 1, self.node.gather(1, parent), code)
        return self._mean(level, [member.next(level, parent, code) for member in self.members])

    def _mean(self, level: int, log_p: list[Tensor]) -> Tensor:
        illegal = self.tree.children(level, self.node) < 0
        legal = [each.float().masked_fill(illegal, -torch.inf).log_softmax(-1) for each in log_p]
        self.log_p = torch.stack(legal)
        joint = (self.prefix.unsqueeze(-1) + self.log_p).logsumexp(0)
        return joint - self.prefix.logsumexp(0).unsqueeze(-1)


class WithNew:
    """The steps of a beam search in a tree with items that came after a network's training.

    Where a codeword never stood in training a network gives it next to nothing. So a new child has
    what its known siblings have, leaf for leaf: their mean, weighted by how alike their codewords
    are. Below a child that is new all leaves have the same. Then all is normalised over the
    children: where codewords of no item kept a share, a leaf below a new child would lose nothing
    to them and the others would.

    Args:
        steps: of a network; its probabilities need not be normalised.
        tree: of all identifiers, on the same device (`PrefixTree.with_new`).
    """

    def __init__(self, steps: Steps, tree: PrefixTree) -> None:
        self.steps, self.tree = steps, tree

    def first(self) -> Tensor:
        """Of the first codeword."""
        log_p = self.steps.first()
        self.node = torch.zeros(log_p.shape[:2], dtype=torch.long, device=log_p.device)
        return self._shared(0, log_p)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Add the codewords just chosen."""
        self.node = self.tree.child(level - 1, self.node.gather(1, parent), code)
        return self._shared(level, self.steps.next(level, parent, code))

    def _shared(self, level: int, log_p: Tensor) -> Tensor:
        assert self.tree.new is not None and self.tree.near is not None
        child = self.tree.children(level, self.node)
        first, place = self.tree.first_leaf[level + 1], child.clamp(min=0)
        leaves = (first[place + 1] - first[place]).float().masked_fill(child < 0, 0.0)
        new = self.tree.new[level][place] & (child >= 0)
        known = (child >= 0) & ~new
        some = known.any(-1, keepdim=True)
        own = log_p.float().masked_fill(~known, -torch.inf).log_softmax(-1)
        own = own.masked_fill(~known, -torch.inf)  # where no child is known, that made NaN
        near = self.tree.near[level]
        mean = own.exp() / leaves.clamp(min=1) @ near / (known.float() @ near).clamp(min=1e-30)
        weight = leaves * mean.where(some, 1.0).clamp(min=1e-30) * new
        total = weight.sum(-1, keepdim=True) + some
        return torch.where(new, weight.log(), own) - total.clamp(min=1e-30).log()


def with_new(steps: Steps, tree: PrefixTree) -> Steps:
    """The steps of a network in a tree, whether or not some of its items are new."""
    return steps if tree.new is None else WithNew(steps, tree)


class Without:
    """The steps of a beam search by probabilities from which some items of each user are taken out.

    What is left is divided by its sum, as if the items were not in the catalogue.

    Args:
        steps: begins the steps that are made use of; called twice.
        excluded: int64 (users, n), leaves of the tree; -1 for none. Another leaf is left.
        tree: of all identifiers, on the same device.
    """

    def __init__(self, steps: Callable[[], Steps], excluded: Tensor, tree: PrefixTree) -> None:
        self.whole, self.tree = Mixture([steps()], tree), tree
        self.code = tree.identifiers(excluded.clamp(min=0))
        self.mass = log_probabilities(Mixture([steps()], tree), self.code).exp()
        # A leaf that several items of a history share comes several times.
        again = (excluded.unsqueeze(-1) == excluded.unsqueeze(-2)).tril(-1).any(-1)
        self.mass = self.mass.masked_fill(again | (excluded < 0), 0.0)

    def first(self) -> Tensor:
        """Of the first codeword."""
        log_p = self.whole.first()
        # Which excluded items are below each beam, bool (users, beams, n).
        self.below = torch.ones_like(self.code[..., 0], dtype=torch.bool).unsqueeze(1)
        return self._left(0, log_p)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Add the codewords just chosen."""
        log_p = self.whole.next(level, parent, code)
        goes_on = self.code[:, None, :, level - 1] == code.unsqueeze(-1)
        self.below = along(self.below, parent) & goes_on
        return self._left(level, log_p)

    def _left(self, level: int, log_p: Tensor) -> Tensor:
        mass = (self.whole.prefix[0].unsqueeze(-1) + log_p).exp()
        taken = self.mass.unsqueeze(1) * self.below
        code = self.code[:, None, :, level].expand(taken.shape)
        left = mass.scatter_add(-1, code, -taken).clamp(min=1e-30)
        return left.log().masked_fill(log_p == -torch.inf, -torch.inf).log_softmax(-1)


def log_probabilities(steps: Steps, ids: Tensor) -> Tensor:
    """Log-probabilities of identifiers, float (users, n), of int64 (users, n, levels)."""
    log_p = steps.first()
    place = torch.zeros_like(ids[..., 0])
    total = torch.zeros(place.shape, device=ids.device)
    for level, code in enumerate(ids.unbind(-1)):
        if level:
            log_p = steps.next(level, place, ids[..., level - 1])
            place = torch.arange(ids.shape[1], device=ids.device).expand_as(code)
        total = total + along(log_p, place).gather(-1, code.unsqueeze(-1)).squeeze(-1)
    return total
