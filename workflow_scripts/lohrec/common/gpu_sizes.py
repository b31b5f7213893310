"""Memory of GPUs as their makers name it, and as drivers and torch report it."""

# A "24 GB" A10G has 23.8 GB by torch and 24.1 by nvidia-smi, a "16 GB" T4 15.8 and 16.1.
TOLERANCE = 0.05


def suffices(found: float, wanted: float) -> bool:
    """Whether a GPU with so much memory is one of the size that is asked for, both in GB."""
    return found >= (1 - TOLERANCE) * wanted
