"""SASRec: self-attention over the history (Kang and McAuley, ICDM 2018).

The input is E = M + P, items and positions, with dropout (Eq. 1). A block is, with causal attention
SA (Eq. 2-4) and FFN(S) = ReLU(S W1 + b1) W2 + b2 (Eq. 5),

    S = E + dropout(SA(norm(E))),  F = S + dropout(FFN(norm(S)))    (Section III-C)

and the score of item i is F_t M_i (Eq. 6), with the table M that is read. Heads are not mixed
afterwards. As in the authors' program a norm follows the last block, FFN has dropout inside, and M
is read times the root of its width. With `block: bert` the network is BERT's instead, as in
RecBole, whose tables most papers print.

Positions count from the first item that is read; the authors' program counts from the last one of
a whole sequence of training. So here every prefix is read as it would be read alone.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.autograd_functions import drop
from lohrec.recommender.item_layers import Attention, BertLayer, earlier
from lohrec.recommender.item_networks import CausalNetwork
from lohrec.recommender.item_recommender import ItemRecommender

SETTINGS: dict[str, dict[str, Any]] = {
    "width": {
        "type": "integer", "minimum": 1, "default": 128, "multiple_of": "heads",
        "description": "Width, a multiple of heads.",
    },
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Blocks."},
    "heads": {"type": "integer", "minimum": 1, "default": 2, "description": "Attention heads."},
    "block": {
        "enum": ["paper", "bert"], "default": "paper",
        "description": "The block of the paper, or that of BERT, as in RecBole.",
    },
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.5,
        "description": "Dropout of embeddings, attention and blocks.",
    },
    "loss": {
        "enum": ["cross_entropy", "binary", "bpr"], "default": "cross_entropy",
        "description": "Over all items, or against one sampled item; binary is the paper's.",
    },
}  # fmt: skip
SHARED = ["training"]
GPU = {"fit": "fit", "recommend": "recommend"}
TRAITS = ["seeded", "embeds_items", "teaches"]


class Network(CausalNetwork):
    """See `ItemNetwork` for the arguments."""

    def __init__(self, items: int, history: int, settings: Mapping[str, Any]) -> None:
        super().__init__(items, history, settings)
        width, self.dropout = settings["width"], settings["dropout"]
        self.bert = settings["block"] == "bert"
        self.position = nn.Embedding(history, width)
        self.norm = nn.LayerNorm(width, eps=1e-12 if self.bert else 1e-8)
        layer = BertLayer if self.bert else Block
        self.layers = nn.ModuleList(
            layer(width, settings["heads"], self.dropout) for _ in range(settings["layers"])
        )
        self.begin()

    def read(self, items: Tensor) -> Tensor:
        """States after each item."""
        x = self.embed(items)
        if not self.bert:
            x = x * x.shape[-1] ** 0.5
        x = x + self.position.weight[: x.shape[1]]
        x = drop(self.norm(x) if self.bert else x, self.dropout, self.training)
        for layer in self.layers:
            x = layer(x, earlier(x))
        return x if self.bert else self.norm(x)


class Block(nn.Module):
    """The paper's block."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.norm = (nn.LayerNorm(width, eps=1e-8) for _ in range(2))
        self.attention = Attention(width, heads, dropout)
        self.first, self.second = (nn.Linear(width, width) for _ in range(2))
        self.dropout = dropout

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """States (rows, places, width)."""
        x = x + drop(self.attention(self.attention_norm(x), seen), self.dropout, self.training)
        inner = drop(F.relu(self.first(self.norm(x))), self.dropout, self.training)
        state: Tensor = x + drop(self.second(inner), self.dropout, self.training)
        return state


class SASRec(ItemRecommender):
    """SASRec."""

    network_class = Network
