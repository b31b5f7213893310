"""What a recommender minimises: L = L_gen + gamma L_rank (Eq. 16), from one decoder pass."""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lohrec.identifiers.codewords import LEVELS
from lohrec.recommender import candidate_tree
from lohrec.recommender.losses import distilled, margin_ranking, one_hot, smoothed
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training_data import Batch


def load(kind: str, name: str) -> ModuleType:  # registry
    """The module of a loss."""
    losses = {"one_hot": one_hot, "smoothed": smoothed, "distilled": distilled}
    return {"losses": losses}[kind][name]


def objective(model: T5, batch: Batch, settings: dict[str, Any]) -> dict[str, Tensor]:
    """The losses of one batch.

    Args:
        settings: target (the name of the generation loss, a module of `losses`), generation and
            rank (weights of the two losses), and what the losses' own `SETTINGS` name.

    Returns:
        "loss" (Eq. 16), "generation" and, where candidates are ranked, "rank".
    """
    full = batch.candidates.device.type != "cpu"  # shapes known without asking the device
    memory = model.encode(batch.history, batch.padded, batch.row, batch.length)
    log_p_total, log_p = candidate_tree.score(model, memory, batch.candidates, full)
    first = torch.arange(LEVELS, device=log_p.device) * model.first_code(1)
    code = batch.candidates[:, 0] + first
    generation = load("losses", settings["target"]).loss(log_p, code, batch, settings)
    losses = {"generation": generation, "loss": settings["generation"] * generation}
    if settings["rank"]:
        scores = margin_ranking.score(log_p_total, LEVELS)
        rank = margin_ranking.loss(scores, batch.real, settings)
        losses |= {"rank": rank, "loss": losses["loss"] + settings["rank"] * rank}
    return losses
