"""Distributions over items as a walk through the prefix tree asks for them, level by level.

Whatever tells a probability of every item tells that of every prefix, the sum over the items below
it, and so of every codeword after a prefix. The mean of several recommenders' probabilities is
again such a distribution. All here are `beam_search.TreeSteps`, normalised over a node's children.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.prefix_tree import PrefixTree

CELLS = 2**23  # probabilities that are computed at once: some arrays of 67 MB each


def most_users(items: int) -> int:
    """Users at once, as many as `CELLS` allows with a probability of each item."""
    return max(1, CELLS // items)


class ItemSteps:
    """A node by the probabilities of the items below it.

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
        """Of the root's children."""
        return self._log_p(0, self.up_to.new_zeros(len(self.up_to), 1, dtype=torch.long))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Of the children of nodes."""
        return self._log_p(level, node)

    def _log_p(self, level: int, node: Tensor) -> Tensor:
        child = self.tree.below(level, node)
        first, below = self.tree.first_leaf[level + 1], child.clamp(min=0)
        ends = torch.stack([first[below], first[below + 1]]).long().flatten(2)
        low, high = (self.up_to.gather(1, end) for end in ends)
        mass = (high - low).clamp(min=1e-30).view(child.shape)
        return mass.log().masked_fill(child < 0, -torch.inf).log_softmax(-1).float()


class Mixture:
    """The weighted mean of several recommenders' probabilities of items.

    A member's share in a prefix is its probability of that prefix, so that the mean is one of whole
    items.

    Args:
        members: of the same users, each normalised over a node's children.
        tree: of all identifiers, on the same device.
        weights: of the members; equal by default.
    """

    def __init__(
        self, members: Sequence[TreeSteps], tree: PrefixTree, weights: Sequence[float] | None = None
    ) -> None:
        self.members, self.tree = members, tree
        self.weights = [1.0] * len(members) if weights is None else weights

    def first(self) -> Tensor:
        """Of the root's children."""
        log_p = torch.stack([member.first() for member in self.members])
        self.node = torch.zeros(log_p.shape[1:3], dtype=torch.long, device=log_p.device)
        # Per member, the weighted log-probability of every beam's prefix, (members, users, beams).
        weight = torch.tensor(self.weights, device=log_p.device).log()
        self.prefix = weight[:, None, None].expand(-1, *self.node.shape)
        return self._mean(log_p)

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Let every member go on to the nodes."""
        first = self.tree.first[level - 1][self.node.gather(1, parent)]
        place = (node - first).clamp(min=0)  # among the children of the beam's node
        each = (len(self.members), -1, -1)
        place = (parent * self.log_p.shape[-1] + place).expand(each)
        before = self.prefix.gather(2, parent.expand(each))
        self.prefix = before + self.log_p.flatten(2).gather(2, place)
        self.node = node
        return self._mean(torch.stack([m.next(level, parent, node) for m in self.members]))

    def _mean(self, log_p: Tensor) -> Tensor:
        self.log_p = log_p
        joint = (self.prefix.unsqueeze(-1) + log_p).logsumexp(0)
        return joint - self.prefix.logsumexp(0).unsqueeze(-1)


class WithNew:
    """The steps of a beam search in a tree with items that came after a network's training.

    Where a codeword never stood in training a network gives it next to nothing. So a new child has
    what its known siblings have, leaf for leaf: their mean, weighted by how alike their codewords
    are. Below a child that is new all leaves have the same. Then all is normalised over the
    children: where codewords of no item kept a share, a leaf below a new child would lose nothing
    to them and the others would.

    Args:
        steps: of a network.
        tree: of all identifiers, on the same device (`PrefixTree.with_new`).
    """

    def __init__(self, steps: TreeSteps, tree: PrefixTree) -> None:
        self.steps, self.tree = steps, tree

    def first(self) -> Tensor:
        """Of the root's children."""
        log_p = self.steps.first()
        return self._shared(0, log_p, log_p.new_zeros(len(log_p), 1, dtype=torch.long))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Go on to the nodes."""
        return self._shared(level, self.steps.next(level, parent, node), node)

    def _shared(self, level: int, log_p: Tensor, node: Tensor) -> Tensor:
        assert self.tree.new is not None and self.tree.near is not None
        child = self.tree.below(level, node)
        first, place = self.tree.first_leaf[level + 1], child.clamp(min=0)
        leaves = (first[place + 1] - first[place]).float().masked_fill(child < 0, 0.0)
        new = self.tree.new[level][place] & (child >= 0)
        known = (child >= 0) & ~new
        some = known.any(-1, keepdim=True)
        own = log_p.float().masked_fill(~known, -torch.inf).log_softmax(-1)
        own = own.masked_fill(~known, -torch.inf)  # where no child is known, that made NaN
        near, code = self.tree.near[level], self.tree.code[level][place].long()

        def of_like(value: Tensor) -> Tensor:
            """Sums over the known siblings, weighted by how alike their codewords are."""
            by_code = value.new_zeros(*value.shape[:-1], len(near)).scatter_add_(-1, code, value)
            return (by_code @ near).gather(-1, code)

        mean = of_like(own.exp() / leaves.clamp(min=1)) / of_like(known.float()).clamp(min=1e-30)
        weight = leaves * mean.where(some, 1.0).clamp(min=1e-30) * new
        total = weight.sum(-1, keepdim=True) + some
        return torch.where(new, weight.log(), own) - total.clamp(min=1e-30).log()


def with_new(steps: TreeSteps, tree: PrefixTree) -> TreeSteps:
    """The steps of a network in a tree, whether or not some of its items are new."""
    return steps if tree.new is None else WithNew(steps, tree)


class Without:
    """Probabilities of items from which some items of each user are taken out.

    What is left is divided by its sum, as if the items were not in the catalogue.

    Args:
        steps: normalised over a node's children; walked through twice.
        excluded: int64 (users, n), leaves of the tree; -1 for none. Another leaf is left.
        tree: of all identifiers, on the same device.
    """

    def __init__(self, steps: TreeSteps, excluded: Tensor, tree: PrefixTree) -> None:
        self.whole, self.tree = Mixture([steps], tree), tree
        self.path = tree.path(excluded)
        # A leaf that several items of a history share comes several times.
        again = (excluded.unsqueeze(-1) == excluded.unsqueeze(-2)).tril(-1).any(-1)
        mass = log_probabilities(steps, excluded.clamp(min=0), tree).exp()
        self.mass = mass.masked_fill(again | (excluded < 0), 0.0)

    def first(self) -> Tensor:
        """Of the root's children."""
        log_p = self.whole.first()
        return self._left(0, log_p, torch.zeros_like(self.mass, dtype=torch.long))

    def next(self, level: int, parent: Tensor, node: Tensor) -> Tensor:
        """Go on to the nodes."""
        return self._left(level, self.whole.next(level, parent, node), self.path[level - 1])

    def _left(self, level: int, log_p: Tensor, above: Tensor) -> Tensor:
        """Take the mass of the excluded leaves from the children above them.

        Args:
            above: int64 (users, n), the nodes at depth `level` above the excluded leaves.
        """
        mass = (self.whole.prefix[0].unsqueeze(-1) + log_p).exp()
        taken = self.mass.unsqueeze(1) * (self.whole.node.unsqueeze(-1) == above.unsqueeze(1))
        place = (self.path[level] - self.tree.first[level][above]).clamp(min=0)
        left = mass.scatter_add(-1, place.unsqueeze(1).expand(taken.shape), -taken)
        left = left.clamp(min=1e-30).log()
        return left.masked_fill(log_p == -torch.inf, -torch.inf).log_softmax(-1)


def log_probabilities(steps: TreeSteps, leaf: Tensor, tree: PrefixTree) -> Tensor:
    """Log-probabilities of leaves, float (users, n), of int64 (users, n)."""
    log_p = steps.first()
    total = log_p.new_zeros(leaf.shape)
    parent, above = torch.zeros_like(leaf), torch.zeros_like(leaf)
    for level, node in enumerate(tree.path(leaf)):
        if level:
            log_p = steps.next(level, parent, above)
            parent = torch.arange(leaf.shape[1], device=leaf.device).expand_as(leaf)
        place = parent * log_p.shape[-1] + node - tree.first[level][above]
        total, above = total + log_p.flatten(1).gather(1, place), node
    return total
