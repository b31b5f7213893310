"""What a recommender minimises: L = L_gen + gamma L_rank (Eq. 16), from one decoder pass."""

from typing import Any

import torch
from torch import Tensor

from lohrec.configuration import registry
from lohrec.identifiers.codewords import LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import CodewordNetwork
from lohrec.recommender.training_data import Batch


def objective(
    model: CodewordNetwork, batch: Batch, tree: PrefixTree, settings: dict[str, Any]
) -> dict[str, Tensor]:
    """The losses of one batch.

    Args:
        tree: of all identifiers, on the batch's device.
        settings: loss (the name of the generation loss, a module of `losses`), generation and
            ranking (weights of the two losses), and losses, {name: the loss's own settings}.

    Returns:
        "loss" (Eq. 16), "generation" and, where candidates are ranked, "ranking".
    """
    log_p_total, log_p = model.score(batch, tree)
    first = torch.arange(LEVELS, device=log_p.device) * model.first_code(1)
    code = batch.candidates[:, 0] + first
    name, each = settings["loss"], settings["losses"]
    generation = registry.load("loss", name).loss(log_p, code, batch, each[name])
    losses = {"generation": generation, "loss": settings["generation"] * generation}
    if settings["ranking"]:
        margin_ranking = registry.load("loss", "margin_ranking")
        scores = margin_ranking.score(log_p_total, LEVELS)
        ranking = margin_ranking.loss(scores, batch.real, each["margin_ranking"])
        losses |= {"ranking": ranking, "loss": losses["loss"] + settings["ranking"] * ranking}
    return losses
