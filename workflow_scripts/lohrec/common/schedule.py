"""The learning rate over a training (4.2)."""

import math


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear warm-up over a share of the steps, then a cosine to 0."""
    begin = max(1, round(warmup * steps))
    if step < begin:
        return (step + 1) / begin
    return 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1, steps - begin)))
