"""What a recommender minimises: L = L_gen + gamma L_rank (Eq. 16), from one decoder pass."""

from typing import Any

import torch
from torch import Tensor

from lohrec.configuration import registry
from lohrec.identifiers.codewords import LEVELS
from lohrec.recommender import candidate_tree
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training_data import Batch


def objective(model: T5, batch: Batch, settings: dict[str, Any]) -> dict[str, Tensor]:
    """The losses of one batch.

    Args:
        settings: loss (the name of the generation loss, a module of `losses`), generation and
            ranking (weights of the two losses), and losses, {name: the loss's own settings}.

    Returns:
        "loss" (Eq. 16), "generation" and, where candidates are ranked, "ranking".
    """
    full = batch.candidates.device.type != "cpu"  # shapes known without asking the device
    memory = model.encode(batch.history, batch.padded, batch.row, batch.length)
    log_p_total, log_p = candidate_tree.score(model, memory, batch.candidates, full)
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
