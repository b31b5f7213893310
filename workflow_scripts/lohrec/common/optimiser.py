"""AdamW, with its learning rate over a training (4.2)."""

import math

from torch import nn
from torch.optim import AdamW


def adamw(
    model: nn.Module,
    rate: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
) -> AdamW:
    """AdamW for what a model learns, which decays matrices and no vectors."""
    learned = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=rate, betas=betas, fused=True)


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear warm-up over a share of the steps, then a cosine to 0."""
    begin = max(1, round(warmup * steps))
    if step < begin:
        return (step + 1) / begin
    return 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1, steps - begin)))
