"""Networks that read items and score every item: the state of a history times a table of items."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common import gradients


@dataclass(frozen=True)
class Batch(gradients.Batch):
    """Examples of one step.

    Attributes:
        items: int64 (rows, longest), -1 on the right; a row is one example, or the longest history
            of several, the others being its prefixes.
        row: int64 (examples,), each example's row.
        length: int64 (examples,), items of each history.
        target: int64 (examples,), the item that came next.
    """

    items: Tensor
    row: Tensor
    length: Tensor
    target: Tensor


class ItemNetwork(nn.Module, ABC):
    """A network over items.

    The score of item i after a history is state . output()[i] + bias()[i].

    Args:
        items: how many there are.
        history: most items that are read.
        settings: of its recommender.

    Attributes:
        shares_rows: whether histories that are prefixes of one row are read at once, each exactly
            as it would be read alone.
    """

    shares_rows: ClassVar[bool]

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.items, self.history = items, history
        # The last row is padding: zeros that learn nothing.
        self.item = nn.Embedding(items + 1, settings["width"], padding_idx=items)

    @abstractmethod
    def states(self, batch: Batch) -> Tensor:
        """The states (examples, width) of the examples of a batch."""

    def taught(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """States (places, width) and the items (places,) that they shall tell."""
        return self.states(batch), batch.target

    def output(self) -> Tensor:
        """The table (items, width) of items as they may come next."""
        return self.item.weight[: self.items]

    def bias(self) -> Tensor | None:
        """What is added to the scores of items, (items,)."""
        return None

    def embed(self, items: Tensor) -> Tensor:
        """Items (...) as they are read, (..., width); -1 is padding."""
        embedded: Tensor = self.item(items.where(items >= 0, self.items))
        return embedded

    def begin(self) -> None:
        """Normal weights of deviation 0.02, no biases, norms that change nothing (BERT)."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.item.weight[self.items :] = 0


class CausalNetwork(ItemNetwork):
    """One that reads a row from its first item on, and no place sees what follows it."""

    shares_rows = True

    @abstractmethod
    def read(self, items: Tensor) -> Tensor:
        """States (rows, places, width) of items (rows, places), -1 on the right."""

    def states(self, batch: Batch) -> Tensor:
        """The state at the last item of every history."""
        x = self.read(batch.items)
        place = batch.row * x.shape[1] + batch.length - 1
        return torch.flatten(x, 0, 1).index_select(0, place)


class WindowNetwork(ItemNetwork):
    """One that reads a window of the last items, padded on the left, for one state.

    Attributes:
        window: items of it.
    """

    shares_rows = False
    window: int

    @abstractmethod
    def read(self, window: Tensor) -> Tensor:
        """States (examples, width) of windows (examples, window), -1 on the left."""

    def states(self, batch: Batch) -> Tensor:
        """The state of the last items of every history."""
        return self.read(last_items(batch.items[batch.row], batch.length, self.window))


def last_items(items: Tensor, length: Tensor, window: int) -> Tensor:
    """The last items of histories, (histories, window), -1 on the left.

    Args:
        items: int64 (histories, longest).
        length: int64 (histories,).
    """
    place = length.unsqueeze(1) - window + torch.arange(window, device=items.device)
    return items.gather(1, place.clamp(min=0)).where(place >= 0, -1)


def whole(batch: Batch) -> tuple[Tensor, Tensor]:
    """The rows of shared examples with the target of the longest, which is their last item.

    Returns:
        items int64 (rows, longest + 1), -1 on the right, and how many each has, int64 (rows,).
    """
    end = torch.zeros_like(batch.items[:, 0])
    end = end.scatter_reduce(0, batch.row, batch.length, "amax")
    longest = batch.length == end[batch.row]
    items = F.pad(batch.items, (0, 1), value=-1)
    return items.index_put((batch.row[longest], end), batch.target[longest]), end + 1
