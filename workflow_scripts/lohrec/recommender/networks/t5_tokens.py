"""What the T5 reads: the tokens of codewords, and the few beside them."""

import torch
from torch import Tensor

from lohrec.identifiers.codewords import CODES, LEVELS, PAD

CODEWORDS = LEVELS * CODES
START, END = PAD + 1, PAD + 2
VOCABULARY = CODEWORDS + 3


def tokens(ids: Tensor) -> Tensor:
    """Token of each codeword: identifiers (..., levels) -> int64 of the same shape."""
    return ids.long() + torch.arange(LEVELS, device=ids.device) * CODES
