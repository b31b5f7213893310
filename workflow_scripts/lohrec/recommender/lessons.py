"""What any recommender can teach: probabilities along the true items, and candidates."""

import torch
from torch import Tensor

from lohrec.identifiers.beam_search import Steps, beam_search
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
) -> Steps:
    """The recommender's probabilities of items, those of the histories left out on request."""

    def every() -> Steps:
        return recommender.steps(histories, tree)

    if not exclude_history:
        return every()
    items = torch.from_numpy(histories.items[:, : histories.length.max()])
    return Without(every, tree.used_up(items.to(tree.item.device)), tree)


@torch.inference_mode()
def probabilities(steps: Steps, target: Tensor, tree: PrefixTree) -> Tensor:
    """Probabilities of every codeword along the true items (Eq. 12), over those that some item has.

    Args:
        steps: the recommender and the users' histories.
        target: int64 (users, levels), codewords of the true next items.
        tree: of all identifiers.

    Returns:
        float (users, levels, codes), zero where no item has the codeword.
    """
    legal, log_p = tree.legal(target), [steps.first()]
    only = torch.zeros_like(target[:, :1])  # one beam a user
    for level in range(1, tree.levels):
        log_p.append(steps.next(level, only, target[:, level - 1 : level]))
    found = torch.cat(log_p, 1).float()
    return found.masked_fill(~legal, -torch.inf).softmax(-1)


def candidates(steps: Steps, tree: PrefixTree, beams: int) -> Tensor:
    """The most probable identifiers, int64 (users, beams, levels); -1 where there are fewer."""
    return tree.identifiers(beam_search(steps, tree, beams, renormalise=True).leaf)
