"""The teacher's probabilities of codewords where the true targets stand (Eq. 8, 12)."""

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.teacher.model import logits_of
from lohrec.teacher.prompts import PromptBatch

SETTINGS = {
    "codewords": {
        "enum": ["legal", "level", "all"], "default": "all",
        "description": (
            "Whether the softmax runs over the codewords that some item has after the prefix, over "
            "the level's, or over all."
        ),
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 256,
        "description": "Examples at once.",
    },
}  # fmt: skip


def answer_logits(model: PreTrainedModel, batch: PromptBatch) -> Tensor:
    """Teacher-forced logits of the true targets, one forward for all examples.

    The state at token t predicts token t + 1. Padding is on the right, where a causal model never
    looks.

    Args:
        batch: prompts with their answers, on the model's device.

    Returns:
        float32 (n, levels, vocabulary).
    """
    state = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
    position = batch.length[:, None] - 1 + torch.arange(LEVELS, device=batch.length.device)
    return logits_of(model, state[batch.row[:, None], position])


def codeword_probabilities(
    logits: Tensor,
    codewords: str,
    first: int = 0,
    legal: Tensor | None = None,
) -> Tensor:
    """The teacher's distribution over codewords at every level (Eq. 12).

    Args:
        logits: (n, levels, vocabulary).
        codewords: "legal": the softmax runs over the codewords that some item has after the prefix;
            "level": over the level's own; "all": over those of every level.
        first: the token of the first codeword.
        legal: bool (n, levels, 256), which codewords are, see `PrefixTree.legal`; for "legal".

    Returns:
        float32 (n, levels, 256) or (n, levels, 1024).
    """
    logits = logits[..., first : first + LEVELS * CODES].float()
    if codewords != "all":
        level = torch.arange(LEVELS, device=logits.device)
        logits = logits.unflatten(-1, (LEVELS, CODES))[:, level, level]
    if legal is not None:
        logits = logits.masked_fill(~legal, -torch.inf)
    return logits.softmax(-1)


def answer_loss(model: PreTrainedModel, batch: PromptBatch) -> Tensor:
    """Mean cross-entropy of the true targets' codewords (Eq. 8).

    The softmax runs over the whole vocabulary. Over the level's codewords it would cost a little
    less, but unconstrained decoding would then choose among tokens that were never compared.
    """
    logits = answer_logits(model, batch)
    return F.cross_entropy(logits.flatten(0, 1), batch.answer.flatten())
