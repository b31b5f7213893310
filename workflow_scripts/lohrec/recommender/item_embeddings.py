"""Items as a model embeds them: the mean of the embeddings of an item's codewords."""

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.recommender.networks.t5 import T5, tokens
from lohrec.teacher import prompts as questions
from lohrec.teacher.tokenizers import first_codeword


@torch.no_grad()
def of_generator(folder: Path, ids: np.ndarray) -> np.ndarray:
    """float32 (items, d_model), by a generator of this workflow; `ids` is int64 (items, levels)."""
    return T5.load(folder).shared(tokens(torch.from_numpy(ids))).mean(1).numpy()


def of_teacher(folder: Path, ids: np.ndarray) -> np.ndarray:
    """float32 (items, hidden), by a teacher of this workflow; `ids` is int64 (items, levels)."""
    known = questions.words(folder)
    first = 0 if known is None else first_codeword(known[0])
    # Of a large model's file these rows alone.
    with safe_open(folder / "model.safetensors", "pt") as file:
        rows = file.get_slice("model.embed_tokens.weight")[first : first + LEVELS * CODES]
    return rows.float()[torch.from_numpy(ids + np.arange(LEVELS) * CODES)].mean(1).numpy()
