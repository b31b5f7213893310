"""The prefix tree over all identifiers that constrains decoding (Appendix A)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# Up to this size every node gets a full row of children: one gather a step, the fastest there is.
DENSE_BYTES = 128 * 2**20  # by codeword
BELOW_BYTES = 16 * 2**20  # one after the other, of a depth


@dataclass(frozen=True)
class PrefixTree:
    """A trie of semantic identifiers in arrays; a node is a (depth, number) pair.

    The nodes of one depth are numbered in lexicographic order of their prefixes, so the children
    of a node are a range of the next depth. Nodes of depth `levels` are the leaves: the distinct
    identifiers in sorted order.

    Attributes:
        codes: codewords a level.
        first: per depth, (nodes + 1,) int32; children of node n are first[n] .. first[n + 1] - 1.
        code: per depth, (children,) uint8 or int16; the codeword that leads to each child.
        table: per depth, (nodes + 1, codes) int32, the child or -1, at last those of the node -1;
            None where it would be too large.
        item_first: (leaves + 1,) int32 into `item`.
        item: (items,) int32, items by leaf; more than one where identifiers collide.
        new: per depth, (children,) bool, whether all items below a child came after the training;
            None where none did.
        near: (levels, codes, codes), how alike the codewords of a level are, where some are new.
    """

    codes: int
    first: list[Tensor]
    code: list[Tensor]
    table: list[Tensor] | None
    item_first: Tensor
    item: Tensor
    new: list[Tensor] | None = None
    near: Tensor | None = None

    @classmethod
    def from_ids(cls, ids: np.ndarray, codes: int = 256) -> "PrefixTree":
        """Build the tree of identifiers, integers (items, levels) in 0 .. codes - 1.

        Raises:
            ValueError: a codeword is out of range, or there are no items.
        """
        ids = np.asarray(ids)
        wrong = np.flatnonzero(((ids < 0) | (ids >= codes)).any(-1))[:3]
        if len(wrong) or not len(ids):
            raise ValueError(
                f"Identifiers need codewords in 0 .. {codes - 1} for at least 1 item; of "
                f"{len(ids)}, items {wrong.tolist()} have {ids[wrong].tolist()}."
            )
        levels = ids.shape[1]
        key = ids.astype(np.int64) @ codes ** np.arange(levels)[::-1]
        item = np.argsort(key, kind="stable")
        key = key[item]
        leaf, position = np.unique(key, return_index=True)
        item_first = np.append(position, len(key))

        first: list[np.ndarray] = []
        code: list[np.ndarray] = []
        nodes = leaf
        for _ in range(levels):
            parents, position = np.unique(nodes // codes, return_index=True)
            first.insert(0, np.append(position, len(nodes)).astype(np.int32))
            code.insert(0, (nodes % codes).astype(np.uint8 if codes <= 256 else np.int16))
            nodes = parents
        table = None
        if sum(len(f) - 1 for f in first) * codes * 4 <= DENSE_BYTES:
            table = [torch.from_numpy(_dense(*row, codes)) for row in zip(first, code, strict=True)]
        return cls(
            codes,
            [torch.from_numpy(f) for f in first],
            [torch.from_numpy(c) for c in code],
            table,
            torch.from_numpy(item_first.astype(np.int32)),
            torch.from_numpy(item.astype(np.int32)),
        )

    def with_new(self, trained: int, near: Tensor) -> "PrefixTree":
        """The same tree, where all items but the first `trained` came after the training.

        Args:
            trained: how many items were in training.
            near: float (levels, codes, codes), symmetric and above 0, how alike codewords are.
        """
        known = torch.zeros(self.leaves, dtype=torch.long, device=self.item.device)
        known[self.leaf_of_item[:trained]] = 1
        up_to = F.pad(known.cumsum(0), (1, 0))
        new = [up_to[first.long()].diff() == 0 for first in self.first_leaf[1:]]
        return replace(self, new=new, near=near.to(self.item.device))

    @property
    def levels(self) -> int:
        """Codewords an identifier."""
        return len(self.first)

    @property
    def leaves(self) -> int:
        """Distinct identifiers."""
        return len(self.item_first) - 1

    def to(self, device: torch.device | str) -> "PrefixTree":
        """The same tree on another device."""
        return replace(
            self,
            first=[f.to(device) for f in self.first],
            code=[c.to(device) for c in self.code],
            table=self.table and [t.to(device) for t in self.table],
            item_first=self.item_first.to(device),
            item=self.item.to(device),
            new=self.new and [n.to(device) for n in self.new],
            near=None if self.near is None else self.near.to(device),
        )

    def same_as(self, other: "PrefixTree") -> bool:
        """Whether another tree on the same device has the same items and identifiers."""
        mine, others = (
            [tree.item_first, tree.item, *tree.first, *tree.code] for tree in (self, other)
        )
        return len(mine) == len(others) and all(map(torch.equal, mine, others))

    def children(self, depth: int, node: Tensor) -> Tensor:
        """The child of each node by codeword.

        Args:
            depth: depth of the nodes, 0 for the root.
            node: int (...), node numbers at that depth; -1 is a node without children.

        Returns:
            int64 (..., codes): number of the child at depth + 1, or -1 where the codeword is not
            legal.
        """
        if self.table is not None:
            return self.table[depth][node.long()].long()
        real = (node >= 0).unsqueeze(-1)
        node = node.clamp(min=0).long()
        low, high = self.first[depth][node].long(), self.first[depth][node + 1].long()
        # A node has at most `codes` children: read that many places, keep those in its range.
        place = low.unsqueeze(-1) + torch.arange(self.codes, device=node.device)
        inside = (place < high.unsqueeze(-1)) & real
        place = place.clamp(max=len(self.code[depth]) - 1)
        code = self.code[depth][place].long()
        child = torch.full((*node.shape, self.codes + 1), -1, device=node.device)
        child.scatter_(-1, code.where(inside, self.codes), place)
        return child[..., : self.codes]

    def below(self, depth: int, node: Tensor) -> Tensor:
        """The children of each node, one after the other.

        Args:
            depth, node: as in `children`.

        Returns:
            int64 (..., most children of a node at that depth): numbers at depth + 1, then -1.
        """
        table, node = self._below[depth], node.long()
        return self._range(depth, node) if table is None else F.embedding(node % len(table), table)

    def _range(self, depth: int, node: Tensor) -> Tensor:
        # After the node -1 comes 0, so it has none.
        low, high = (self.first[depth][n].long().unsqueeze(-1) for n in (node, node + 1))
        child = low + torch.arange(self.widest[depth], device=node.device)
        return child.masked_fill(child >= high, -1)

    @cached_property
    def _below(self) -> list[Tensor | None]:
        """Per depth, `below` of all nodes and at last of -1; None where that is too large."""
        nodes = [torch.arange(-1, len(f) - 1, device=f.device).roll(-1) for f in self.first]
        return [
            self._range(depth, node) if len(node) * widest * 8 <= BELOW_BYTES else None
            for depth, (node, widest) in enumerate(zip(nodes, self.widest, strict=True))
        ]

    @cached_property
    def widest(self) -> list[int]:
        """The most children of a node, per depth."""
        return [int(first.diff().max()) for first in self.first]

    def child(self, depth: int, node: Tensor, code: Tensor) -> Tensor:
        """The child of each node by one codeword, int64 (...); -1 where it has no such child.

        Args:
            depth, node: as in `children`.
            code: int64 (...).
        """
        if self.table is None:
            return self.children(depth, node).gather(-1, code.unsqueeze(-1)).squeeze(-1)
        return self.table[depth][node.long(), code].long()

    def legal(self, ids: Tensor) -> Tensor:
        """Which codewords may follow each prefix of identifiers.

        Args:
            ids: int (..., levels), each of some item.

        Returns:
            bool (..., levels, codes).
        """
        node, out = torch.zeros_like(ids[..., 0], dtype=torch.long), []
        for depth in range(self.levels):
            child = self.children(depth, node)
            out.append(child >= 0)
            node = child.gather(-1, ids[..., depth : depth + 1].long()).squeeze(-1)
        return torch.stack(out, -2)

    def certain(self, depth: int, node: Tensor) -> Tensor:
        """Whether nodes lead to one identifier alone, so that no choice is left; bool (...).

        Args:
            depth, node: as in `children`; any answer may come for -1.
        """
        first = self.first_leaf[depth]
        return first[node + 1] - first[node] == 1

    @cached_property
    def first_leaf(self) -> list[Tensor]:
        """Per depth, the leaves included, (nodes + 1,) int32: leaves below node n are a range."""
        found = [torch.arange(self.leaves + 1, device=self.item.device, dtype=torch.int32)]
        for first in reversed(self.first):
            found.insert(0, found[0][first.long()])
        return found

    def leaf(self, ids: Tensor) -> Tensor:
        """The leaf of identifiers, int (..., levels); int64 (...), -1 for what no item has."""
        node = torch.zeros_like(ids[..., 0], dtype=torch.long)
        for depth, code in enumerate(ids.long().unbind(-1)):
            child = self.child(depth, node, code.clamp(0, self.codes - 1))
            node = child.masked_fill((code < 0) | (code >= self.codes), -1)
        return node

    def path(self, leaf: Tensor) -> list[Tensor]:
        """The nodes above leaves, and those: int64 (...) for each depth from 1 on; -1 for -1."""
        found = [
            torch.searchsorted(first, leaf.to(first.dtype), right=True) - 1
            for first in self.first_leaf[1:-1]
        ]
        return [*found, leaf]

    def identifiers(self, leaf: Tensor) -> Tensor:
        """Codewords of leaves, int64 (..., levels); -1 throughout where the leaf is -1."""
        nodes = self.path(leaf.clamp(min=0).long())
        out = [code[node].long() for code, node in zip(self.code, nodes, strict=True)]
        return torch.stack(out, -1).where((leaf >= 0).unsqueeze(-1), -1)

    @cached_property
    def leaf_of_item(self) -> Tensor:
        """The leaf of every item, int64 (items,)."""
        leaf = torch.arange(self.leaves, device=self.item.device)
        count = self.item_first.diff()
        return torch.empty_like(self.item, dtype=torch.long).scatter_(
            0, self.item.long(), leaf.repeat_interleave(count)
        )

    def used_up(self, items: Tensor) -> Tensor:
        """Leaves of which every item is given; where identifiers collide, one alone is not enough.

        Args:
            items: int64 (rows, n); -1 is padding.

        Returns:
            int64 (rows, n), the leaf of each item, or -1 where the row lacks another of its items.
        """
        leaf = self.leaf_of_item[items.clamp(min=0)].masked_fill(items < 0, -1)
        again = (items.unsqueeze(-1) == items.unsqueeze(-2)).tril(-1).any(-1)
        given = ((leaf.unsqueeze(-1) == leaf.unsqueeze(-2)) & ~again.unsqueeze(-2)).sum(-1)
        return leaf.masked_fill(given < self.item_first.diff()[leaf], -1)

    def exhausted(self, excluded: Tensor) -> list[Tensor]:
        """Prefixes that lead nowhere when some leaves are left out.

        Args:
            excluded: int64 (rows, n), leaves; -1 is none.

        Returns:
            for each level, int64 (rows, n): the node of that level above each leaf where all leaves
            below it are excluded, else -2.
        """
        again = (excluded.unsqueeze(-1) == excluded.unsqueeze(-2)).tril(-1).any(-1)
        counts = ~again & (excluded >= 0)
        found = []
        for first, node in zip(self.first_leaf[1:], self.path(excluded), strict=True):
            same = (node.unsqueeze(-1) == node.unsqueeze(-2)) & counts.unsqueeze(-2)
            below = first.diff()[node.clamp(min=0)]
            found.append(node.masked_fill((same.sum(-1) < below) | (excluded < 0), -2))
        return found


def _dense(first: np.ndarray, code: np.ndarray, codes: int) -> np.ndarray:
    table = np.full((len(first), codes), -1, dtype=np.int32)
    parent = np.repeat(np.arange(len(first) - 1), np.diff(first))
    table[parent, code] = np.arange(len(code), dtype=np.int32)
    return table
