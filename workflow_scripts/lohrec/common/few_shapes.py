"""Matrices of few shapes, for the products of a CPU."""

from torch import Tensor
from torch.nn import functional as F


def few_shapes(x: Tensor, multiple: int) -> Tensor:
    """x (rows, width) with rows of zeros after it, so that their number is a multiple.

    A CPU prepares a product for each number of rows that it meets, which may take longer than the
    product; and how many rows there are is often chance.
    """
    return F.pad(x, (0, 0, 0, -len(x) % multiple))
