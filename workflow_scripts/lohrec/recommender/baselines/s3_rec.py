"""S3-Rec: a sequence, its items and their attributes tell of each other (Zhou et al., CIKM 2020).

The network is BERT's over items and positions. Before it learns the next item as SASRec does, with
causal attention, it sees whole sequences and learns (Section 4.3), with h_i the state of an item,
h~_i that of a masked one, x items, a attributes, s the last state of a sequence and
f(u, v) = sigmoid(u W v), with a W for each,

    AAP   sum_a BCE(f(h_i, a))       the attributes a of an item
    MIP   -log sigmoid(f(h~_i, x) - f(h~_i, x'))    a masked item x against another, x'
    MAP   sum_a BCE(f(h~_i, a))      the attributes of a masked item
    SP    -log sigmoid(f(s, s+) - f(s, s-))    a masked segment s+ against another row's, s-

each a sum over the places of a user and a mean over users, and together
0.2 AAP + MIP + MAP + 0.5 SP, as in the authors' program. That always masks the last item, and draws
x' from what the user has not had; here every item is masked with the same probability, and x' may
be any. Attributes are those of FDSA.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common import training as runs
from lohrec.common.autograd_functions import drop
from lohrec.common.checkpoints import Checkpoint, fingerprint
from lohrec.common.few_shapes import few_shapes
from lohrec.common.gradients import Gradients
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_attributes import AttributeNetwork, AttributeRecommender
from lohrec.recommender.item_layers import BertLayer, earlier
from lohrec.recommender.item_losses import TILE
from lohrec.recommender.item_networks import Batch, whole
from lohrec.recommender.item_training import ItemData, remedy

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {
        "type": "integer", "minimum": 1, "default": 128, "multiple_of": "heads",
        "description": "Width, a multiple of heads.",
    },
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Layers."},
    "heads": {"type": "integer", "minimum": 1, "default": 2, "description": "Attention heads."},
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.5,
        "description": "Dropout of embeddings, attention and layers.",
    },
    "mask": {
        "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.2,
        "description": "Share of the items that are masked before the next item is learned.",
    },
    "before": {
        "type": "number", "exclusiveMinimum": 0, "default": 20,
        "description": "Passes over the train sequences before the next item is learned.",
    },
    "loss": {
        "enum": ["cross_entropy", "binary", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; bpr is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
READS = ["ids"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]
WEIGHTS = {"aap": 0.2, "mip": 1.0, "map": 1.0, "sp": 0.5}


class Network(AttributeNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(
        self, items: int, history: int, settings: Mapping[str, Any], attributes: Tensor
    ) -> None:
        super().__init__(items, history, settings, attributes)
        width, self.dropout = settings["width"], settings["dropout"]
        self.attribute = nn.Embedding(self.padding, width)
        self.mask = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Embedding(history + 1, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(
            BertLayer(width, settings["heads"], self.dropout) for _ in range(settings["layers"])
        )
        self.pairs = nn.ModuleDict({name: nn.Linear(width, width) for name in WEIGHTS})
        self.begin()

    def read(self, items: Tensor) -> Tensor:
        """States after each item."""
        return self._layers(self.embed(items), earlier(items))

    def fill(self, items: Tensor, masked: Tensor, place: Tensor | None = None) -> Tensor:
        """States of sequences in which each place sees all others.

        Args:
            items: int64 (rows, places), -1 on the right.
            masked: bool (rows, places), places whose item is not seen.
            place: int64 (rows,), of each row the place whose state is asked for.

        Returns:
            (rows, places, width), or with `place` (rows, width).
        """
        x = torch.where(masked.unsqueeze(-1), self.mask, self.embed(items))
        x = self._layers(x, (items >= 0)[:, None, None], place)
        return x if place is None else x.squeeze(1)

    def _layers(self, x: Tensor, seen: Tensor, place: Tensor | None = None) -> Tensor:
        x = self.norm(x + self.position.weight[: x.shape[1]])
        x = drop(x, self.dropout, self.training)
        *below, top = self.layers
        for layer in below:
            x = layer(x, seen)
        state: Tensor = top(x, seen, place)
        return state


class S3Rec(AttributeRecommender):
    """S3-Rec."""

    network_class = Network

    @classmethod
    def learn(cls, inputs: Inputs, settings: Mapping[str, Any], seed: int) -> Self:
        """Learn of the sequences, and then the next items."""
        torch.manual_seed(seed)
        network = cls.built(inputs, settings)
        assert isinstance(network, Network)
        data, training = ItemData(inputs.train.aligned(), True), settings["training"]
        compute = partial(losses, network, share=settings["mask"])
        gradients = Gradients(network, compute, training["clip"], training["bf16"], graphs=False)

        checkpoint = None
        if inputs.checkpoint is not None:
            made = [dict(settings), seed, dict(inputs.code)]
            weights = [value.cpu().numpy() for value in network.state_dict().values()]
            learned = data.examples.start, data.examples.stop, np.asarray(data.examples.sequences)
            path = inputs.checkpoint.with_suffix(".before.checkpoint")
            checkpoint = Checkpoint(path, fingerprint(made, *learned, *weights))

        def step(rows: np.ndarray) -> tuple[dict[str, Tensor], int]:
            return gradients(data.batch(rows)), len(rows)

        runs.train(
            network,
            lambda n: data.epoch(training["batch_size"], np.random.default_rng([seed, n, 1])),
            step,
            dict,
            lambda row: row["step"],
            training | {"epochs": settings["before"], "evaluations": 5},
            checkpoint=checkpoint,
            remedy=remedy(network),
            description="before the next item",
            trial=inputs.trial,
        )
        return cls.trained(network, inputs, settings, seed)


def losses(network: Network, batch: Batch, share: float) -> dict[str, Tensor]:
    """The four losses, and "loss", their weighted sum.

    Args:
        batch: shared rows.
        share: of the items that are masked.
    """
    items, length = whole(batch)
    real = items >= 0
    masked = (torch.rand(items.shape, device=items.device) < share) & real
    other = torch.randint_like(items, network.items)
    begin, end = segments(length)
    rows = torch.arange(len(items), device=items.device)
    away = torch.randint(1, max(len(items), 2), (), device=items.device)
    each = tells_items(network, items, masked, other) | tells_segments(
        network, items, length, begin, end, (rows + away) % len(items)
    )
    total = torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum()
    return each | {"loss": total}


def segments(length: Tensor) -> tuple[Tensor, Tensor]:
    """Random segments of at most half of each sequence: the first place, and one past the last."""
    size = 1 + (torch.rand(length.shape, device=length.device) * (length // 2)).long()
    begin = (torch.rand(length.shape, device=length.device) * (length - size + 1)).long()
    return begin, begin + size


def tells_items(
    network: Network, items: Tensor, masked: Tensor, other: Tensor
) -> dict[str, Tensor]:
    """AAP, MIP and MAP: sums over places, means over rows.

    Args:
        items: int64 (rows, places), -1 on the right.
        masked: bool (rows, places).
        other: int64 (rows, places), the other item of each place.
    """
    h = network.fill(items, masked)

    def read(name: str, where: Tensor) -> Tensor:
        """u W of some places, and rows of padding."""
        found: Tensor = network.pairs[name](few_shapes(h[where], TILE))
        return found

    found = {}
    for name, where in (("aap", (items >= 0) & ~masked), ("map", masked)):
        wanted = network.has(items[where])
        score = (read(name, where) @ network.attribute.weight.T)[: len(wanted)]
        cost = F.binary_cross_entropy_with_logits(score, wanted.to(score), reduction="sum")
        found[name] = cost / len(items)
    mip = read("mip", masked)[: int(masked.sum())]
    own, wrong = (fits(mip, network.embed(x[masked])) for x in (items, other))
    return found | {"mip": -F.logsigmoid(own - wrong).sum() / len(items)}


def tells_segments(
    network: Network, items: Tensor, length: Tensor, begin: Tensor, end: Tensor, partner: Tensor
) -> dict[str, Tensor]:
    """SP.

    Args:
        items: int64 (rows, places), -1 on the right.
        length: int64 (rows,).
        begin, end: int64 (rows,), the segment of each.
        partner: int64 (rows,), the row whose items stand for those of the other segment.
    """
    place = torch.arange(items.shape[1], device=items.device)
    inside = (place >= begin.unsqueeze(1)) & (place < end.unsqueeze(1))
    # The partner's items from its first on, over and over, as many as the segment has.
    turn = (place - begin.unsqueeze(1)).clamp(min=0) % length[partner].unsqueeze(1)
    theirs = items[partner].gather(1, turn).where(inside, items)
    rest = network.fill(items, inside, length - 1)
    read = network.pairs["sp"](rest)
    alone = (network.fill(x, ~inside & (items >= 0), length - 1) for x in (items, theirs))
    own, wrong = (fits(read, state) for state in alone)
    return {"sp": -F.logsigmoid(own - wrong).mean()}


def fits(read: Tensor, other: Tensor) -> Tensor:
    """f, (pairs,), of u W and v, both (pairs, width)."""
    return torch.sigmoid((read * other).sum(1))
