"""What any recommender can teach: probabilities along the true items, and candidates."""

import torch
from torch import Tensor

from lohrec.identifiers.beam_search import TreeSteps, tree_search
from lohrec.identifiers.mixtures import Without
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.recommender import Histories, Recommender

SETTINGS = {
    "beams": {
        "type": "integer", "minimum": 1, "default": 25,
        "description": "Candidates for a train example.",
    },
    "exclude_history": {
        "enum": [True, False, "auto"], "default": "auto",
        "description": (
            "Whether items of the history are left out of probabilities and candidates; auto: of "
            "data where no user has an item twice."
        ),
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 512,
        "description": "Examples at once.",
    },
    "bf16": {
        "enum": [True, False, "auto"], "default": "auto",
        "description": (
            "Whether to compute in bfloat16; auto: on devices that multiply it in hardware."
        ),
    },
}  # fmt: skip


def steps(
    recommender: Recommender, histories: Histories, tree: PrefixTree, exclude_history: bool
) -> TreeSteps:
    """The recommender's probabilities of items, those of the histories left out on request."""
    every = recommender.steps(histories, tree)
    if not exclude_history:
        return every
    items = torch.from_numpy(histories.items[:, : histories.length.max()])
    return Without(every, tree.used_up(items.to(tree.item.device)), tree)


@torch.inference_mode()
def probabilities(steps: TreeSteps, target: Tensor, tree: PrefixTree) -> Tensor:
    """Probabilities of every codeword along the true items (Eq. 12), over those that some item has.

    Args:
        steps: the recommender and the users' histories.
        target: int64 (users, levels), codewords of the true next items.
        tree: of all identifiers.

    Returns:
        float (users, levels, codes), zero where no item has the codeword.
    """
    only = torch.zeros_like(target[:, :1])  # one beam a user
    found, node, log_p = [], only, steps.first()
    for level, below in enumerate(tree.path(tree.leaf(target[:, None]))):
        if level:
            log_p = steps.next(level, only, node)
        child = tree.below(level, node)
        p = log_p.float().masked_fill(child < 0, -torch.inf).softmax(-1)
        code = tree.code[level][child.clamp(min=0)].long()
        found.append(p.new_zeros(len(p), 1, tree.codes).scatter_add_(-1, code, p))
        node = below
    return torch.cat(found, 1)


def candidates(steps: TreeSteps, tree: PrefixTree, beams: int) -> Tensor:
    """The most probable identifiers, int64 (users, beams, levels); -1 where there are fewer."""
    return tree.identifiers(tree_search(steps, tree, beams).leaf)
