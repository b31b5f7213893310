"""Beam search constrained by the prefix tree (Algorithm 1)."""

import torch
from torch import Tensor

from lohrec.identifiers.prefix_tree import PrefixTree, normalised_over_children
from lohrec.recommender.networks.t5 import CODES, START, T5


@torch.inference_mode()
def beam_search(
    model: T5,
    history: Tensor,
    tree: PrefixTree,
    beams: int,
    top: int,
    excluded: Tensor | None = None,
    padded: bool = True,
    renormalise: bool = False,
) -> tuple[Tensor, Tensor]:
    """The most probable identifiers of every user; each one exists and none comes twice.

    All beams of a user are positions of one decoder row. They attend to the encoded history, which
    is computed once, and to their own ancestors among all earlier positions, so nothing is copied
    when beams are chosen.

    Args:
        model: the recommender.
        history: int64 tokens (users, length).
        tree: all identifiers.
        beams: beam width; where fewer prefixes are legal, all of them are kept.
        top: list length, at most `beams`.
        excluded: int64 (users, n), leaves that are left out of the lists; -1 for none.
        padded: False promises a history without PAD.
        renormalise: whether probabilities are normalised over the legal children of a prefix. As
            Algorithm 1 has it, they are not.

    Returns:
        leaf (users, top) int64, -1 where there are fewer identifiers, and their log-probabilities
        (users, top) float32, -inf there.
    """
    users, device = len(history), history.device
    memory = model.encode(history, padded)
    token = torch.full((users, 1), START, device=device)
    node = torch.zeros(users, 1, dtype=torch.long, device=device)
    score = torch.zeros(users, 1, device=device)
    depth = torch.zeros(1, dtype=torch.long, device=device)
    allowed = torch.ones(users, 1, 1, dtype=torch.bool, device=device)
    past = None
    for level in range(tree.levels):
        state, past = model.decode(token, depth, allowed, memory, past)
        first = model.first_code(level)
        log_p = model.log_probabilities(state, level)[..., first : first + CODES]
        child = tree.children(level, node)
        total = (score.unsqueeze(-1) + log_p).masked_fill_(child < 0, -torch.inf)
        if renormalise:
            total = normalised_over_children(total, score)
        total, child = total.flatten(1), child.flatten(1)
        last = level == tree.levels - 1
        width = beams if not last or excluded is None else beams + excluded.shape[1]
        score, index = total.topk(min(width, total.shape[1]))
        node = child.gather(1, index).masked_fill(score == -torch.inf, -1)
        if last:
            break
        parent, code = index // CODES, index % CODES
        token = code + level * CODES
        chosen = allowed.gather(1, parent.unsqueeze(-1).expand(-1, -1, allowed.shape[-1]))
        own = torch.eye(index.shape[1], dtype=torch.bool, device=device).expand(users, -1, -1)
        allowed = torch.cat([chosen, own], 2)
        depth = torch.cat([depth, depth.new_full((index.shape[1],), level + 1)])
    if excluded is not None:
        seen = (node.unsqueeze(-1) == excluded.unsqueeze(1)).any(-1)
        score, index = score.masked_fill(seen, -torch.inf).topk(min(beams, score.shape[1]))
        node = node.gather(1, index).masked_fill(score == -torch.inf, -1)
    missing = max(0, top - node.shape[1])
    node = torch.nn.functional.pad(node[:, :top], (0, missing), value=-1)
    score = torch.nn.functional.pad(score[:, :top], (0, missing), value=-torch.inf)
    return node, score
