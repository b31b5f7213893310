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
            "Whether items of the history that is read are left out of a recommender's "
            "probabilities and candidates; auto: of data where no user has an item twice. The "
            "language model's keep them."
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


def own_leaves(histories: Histories, tree: PrefixTree) -> Tensor:
    """The leaves all of whose items are in a history, int64 (users, n); -1 for none."""
    items = torch.from_numpy(histories.items[:, : histories.length.max()])
    return tree.used_up(items.to(tree.item.device))


def steps(
    recommender: Recommender, histories: Histories, tree: PrefixTree, excluded: Tensor | None
) -> TreeSteps:
    """The recommender's probabilities of items, but for those of the leaves `excluded`."""
    every = recommender.steps(histories, tree)
    return every if excluded is None else Without(every, excluded, tree)


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


def candidates(
    steps: TreeSteps, tree: PrefixTree, beams: int, excluded: Tensor | None = None
) -> Tensor:
    """The most probable identifiers, int64 (users, beams, levels); -1 where there are fewer.

    Args:
        excluded: int64 (users, n), leaves that are none, -1 for none. Steps `Without` them leave
            what rounding leaves, which may be more than others have.
    """
    return tree.identifiers(tree_search(steps, tree, beams, excluded).leaf)
