"""Candidates that share prefixes as one tree, so that one decoder pass scores them all (Eq. 13)."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from lohrec.identifiers.codewords import CODES
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
        real: which places are prefixes; None with `full`.
    """

    token: Tensor
    depth: Tensor
    allowed: Tensor
    path: Tensor
    width: list[int]
    real: Real | None


def build(ids: Tensor, full: bool = False) -> CandidateTree:
    """Merge the candidates' common prefixes.

    Args:
        ids: int64 (batch, candidates, levels).
        full: leave room for candidates without common prefixes, so that every batch has the same
            shape and the host need not wait for the device.
    """
    batch, candidates, levels = ids.shape
    places = [ids.new_zeros(batch, candidates)]
    token = [ids.new_full((batch, 1), START)]
    width = [1]
    key = ids.new_zeros(batch, candidates)
    for depth in range(1, levels):
        key = key * CODES + ids[..., depth - 1]
        ordered, order = key.sort(1)
        new = torch.nn.functional.pad(ordered[:, 1:] != ordered[:, :-1], (1, 0)).long()
        number = torch.empty_like(key).scatter_(1, order, new.cumsum(1))
        room = candidates if full else int(number.max()) + 1
        code = ids[..., depth - 1] + (depth - 1) * CODES
        token.append(ids.new_zeros(batch, room).scatter_(1, number, code))
        places.append(number + sum(width))
        width.append(room)
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
    return CandidateTree(
        torch.cat(token, 1),
        torch.cat(depth_of),
        allowed,
        path,
        width,
        None if full else _real(path, nodes),
    )


def _real(path: Tensor, nodes: int) -> Real:
    """The places that some candidate's path leads through."""
    used = torch.zeros(len(path), nodes, dtype=torch.bool, device=path.device)
    used.scatter_(1, path.flatten(1), True)
    return Real(used.flatten().nonzero().flatten(), len(path), nodes)


def score(
    model: "T5", memory: "Memory", ids: Tensor, tree: PrefixTree, full: bool = False
) -> Scored:
    """Log-probabilities of all candidates in one decoder pass.

    Args:
        memory: the encoded histories.
        ids: int64 (batch, candidates, levels).
        tree: of all identifiers.
        full: as in `build`.
    """
    places = build(ids, full)
    state, _ = model.decode(places.token, places.depth, places.allowed, memory, real=places.real)
    row = torch.arange(len(ids), device=ids.device)
    total, along_first = torch.zeros((), device=ids.device), []
    for level, part in enumerate(state.split(places.width, 1)):
        log_p = model.log_probabilities(part, level)
        place = places.path[..., level] - sum(places.width[:level])
        along_first.append(log_p[row, place[:, 0]])
        total = total + log_p[row[:, None], place, ids[..., level] + model.first_code(level)]
    return Scored(total, torch.stack(along_first, 1))
