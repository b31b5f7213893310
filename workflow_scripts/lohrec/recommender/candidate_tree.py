"""Candidates that share prefixes as one tree, so that one decoder pass scores them all (Eq. 13)."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from lohrec.identifiers.codewords import CODES, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import Scored
from lohrec.recommender.networks.t5_layers import Real
from lohrec.recommender.networks.t5_tokens import START

if TYPE_CHECKING:
    from lohrec.recommender.networks.t5 import T5, Memory


class CandidateTree(NamedTuple):
    """The distinct prefixes of every example's candidates as decoder positions.

    Positions are laid out by depth: the root, then `width[1]` places for prefixes of one codeword,
    and so on; unused places attend to the root and themselves alone, and nothing reads them.

    Attributes:
        token: int64 (batch, nodes).
        depth: int64 (nodes,).
        allowed: bool (batch, nodes, nodes), each node's ancestors and itself.
        path: int64 (batch, candidates, levels), the place of each prefix of a candidate, by the
            level of the codeword which it predicts.
        width: places a depth.
        real: which places are prefixes that are decoded; None with `full`.
        legal: per depth, bool (batch, width, codes), the codewords that some item has after each
            prefix; empty where all may follow.
        certain: bool (batch, candidates, levels), prefixes of a single item: what follows is
            certain, so they are not decoded, and share an unused place. None with `full`.
    """

    token: Tensor
    depth: Tensor
    allowed: Tensor
    path: Tensor
    width: list[int]
    real: Real | None
    legal: list[Tensor]
    certain: Tensor | None


def build(ids: Tensor, tree: PrefixTree | None = None, full: bool = False) -> CandidateTree:
    """Merge the candidates' common prefixes.

    Args:
        ids: int64 (batch, candidates, levels).
        tree: of all identifiers, where probabilities are normalised over the legal codewords.
        full: leave room for candidates without common prefixes, so that every batch has the same
            shape and the host need not wait for the device.
    """
    batch, candidates, levels = ids.shape
    token_of = tokens(ids)
    places, token, legal, certain = [], [], [], []
    width: list[int] = []
    key = node = number = ids.new_zeros(batch, candidates)
    single = ids.new_zeros(batch, candidates, dtype=torch.bool)
    for depth in range(levels):
        if tree is not None and not full:
            single = single | tree.certain(depth, node)
        if depth:
            key = key * CODES + ids[..., depth - 1]
            number = _numbered(key.masked_fill(single, -1))
        room = 1 if not depth else candidates if full else int(number.max()) + 1
        code = token_of[..., depth - 1] if depth else torch.full_like(key, START)
        token.append(ids.new_zeros(batch, room).scatter_(1, number, code))
        places.append(number + sum(width))
        width.append(room)
        certain.append(single)
        if tree is not None:
            at = ids.new_zeros(batch, room).scatter_(1, number, node.clamp(min=0))
            child = tree.children(depth, at)
            legal.append(child >= 0)
            # Not that of a single item, whose prefixes share a place; its nodes do not matter.
            node = child.flatten(1).gather(1, number * CODES + ids[..., depth])
    path = torch.stack(places, -1)
    nodes = sum(width)
    allowed = torch.eye(nodes, dtype=torch.bool, device=ids.device).repeat(batch, 1, 1)
    allowed[:, :, 0] = True
    row = torch.arange(batch, device=ids.device)[:, None]
    yes = allowed.new_ones(())
    for depth in range(1, levels):
        for above in range(1, depth):
            allowed.index_put_((row, path[..., depth], path[..., above]), yes)
    # Nothing here is copied from the host, so that a CUDA graph can hold all of it.
    depth_of = [ids.new_full((room,), depth) for depth, room in enumerate(width)]
    known = None if full else torch.stack(certain, -1)
    real = None if known is None else _real(path, ~known, nodes)
    return CandidateTree(
        torch.cat(token, 1), torch.cat(depth_of), allowed, path, width, real, legal, known
    )


def _numbered(key: Tensor) -> Tensor:
    """Numbers of the distinct keys of each row, from 0, int64 of the shape (rows, n) of `key`."""
    ordered, order = key.sort(1)
    new = torch.nn.functional.pad(ordered[:, 1:] != ordered[:, :-1], (1, 0)).long()
    return torch.empty_like(key).scatter_(1, order, new.cumsum(1))


def _real(path: Tensor, read: Tensor, nodes: int) -> Real:
    """The places that some candidate's path leads through, where it is read there."""
    used = torch.zeros(len(path), nodes, dtype=torch.bool, device=path.device)
    used.scatter_(1, path.flatten(1), read.flatten(1))
    return Real(used.flatten().nonzero().flatten(), len(path), nodes)


def score(
    model: "T5", memory: "Memory", ids: Tensor, tree: PrefixTree, full: bool = False
) -> Scored:
    """Log-probabilities of all candidates in one decoder pass.

    Args:
        memory: the encoded histories.
        ids: int64 (batch, candidates, levels); items of `tree` where the model is `legal`.
        tree: of all identifiers.
        full: as in `build`.
    """
    at = build(ids, tree if model.legal else None, full)
    state, _ = model.decode(at.token, at.depth, at.allowed, memory, real=at.real)
    row = torch.arange(len(ids), device=ids.device)
    total, along_first = torch.zeros((), device=ids.device), []
    for level, part in enumerate(state.split(at.width, 1)):
        log_p = model.log_probabilities(part, level, at.legal[level] if at.legal else None)
        place = at.path[..., level] - sum(at.width[:level])
        code = ids[..., level] + model.first_code(level)
        of_code, of_first = log_p[row[:, None], place, code], log_p[row, place[:, 0]]
        if at.legal and at.certain is not None:
            certain = at.certain[..., level]
            of_code = of_code.masked_fill(certain, 0.0)
            sure = torch.full_like(of_first, -torch.inf).scatter_(1, code[:, :1], 0.0)
            of_first = sure.where(certain[:, :1], of_first)
        total = total + of_code
        along_first.append(of_first)
    return Scored(total, torch.stack(along_first, 1))
