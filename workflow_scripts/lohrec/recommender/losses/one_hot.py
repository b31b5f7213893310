"""The negative log-likelihood of the true item (Eq. 8): L = -1/D sum_d log P(c_d | c_<d, history).

A generation loss is a module with a function of this signature; its settings stand in `SETTINGS`,
and what it reads beyond the sequences in `READS`.
"""

from typing import Any

from torch import Tensor

from lohrec.recommender.training_data import Batch

SETTINGS: dict[str, dict[str, Any]] = {}
READS: list[str] = []


def loss(log_p: Tensor, code: Tensor, batch: Batch, settings: dict[str, Any]) -> Tensor:
    """Eq. 8, the mean over levels and examples.

    Args:
        log_p: (batch, levels, codewords) log-probabilities along the true item, -inf where a
            codeword is not legal.
        code: int64 (batch, levels), the true codewords' places in the last dimension.
        batch: is not read.
        settings: is not read.
    """
    return -log_p.gather(-1, code.unsqueeze(-1)).mean()
