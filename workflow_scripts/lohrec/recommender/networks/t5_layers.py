"""What a T5 is made of, with the names that transformers gives to its weights (4.2)."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lohrec.common.autograd_functions import drop, pack, relu_drop, rms_norm, unpack

BUCKETS, MAX_DISTANCE = 32, 128  # of relative positions

KeysValues = tuple[Tensor, Tensor]


class Real(NamedTuple):
    """Which of the places (batch, places) are computed; the states of the others are zeros.

    Only they pass through the layers' matrices; attention alone sees them in rows.

    Attributes:
        place: int64 (real,), rising, into batch * places.
        batch, places: the shape.
    """

    place: Tensor
    batch: int
    places: int

    def packed(self, x: Tensor) -> Tensor:
        """(batch, places, d) -> (real, d)."""
        return pack(x.flatten(0, 1), self.place)

    def in_rows(self, x: Tensor) -> Tensor:
        """(real, d) -> (batch, places, d), zeros elsewhere."""
        rows = unpack(x, self.place, self.batch * self.places)
        return rows.view(self.batch, self.places, -1)


class Attention(nn.Module):
    """Multi-head attention without scaling, as T5 has it (the initialisation scales instead)."""

    def __init__(self, d_model: int, heads: int, d_kv: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(d_model, heads * d_kv, bias=False)
        self.k = nn.Linear(d_model, heads * d_kv, bias=False)
        self.v = nn.Linear(d_model, heads * d_kv, bias=False)
        self.o = nn.Linear(heads * d_kv, d_model, bias=False)
        nn.init.normal_(self.q.weight, std=(d_model * d_kv) ** -0.5)
        nn.init.normal_(self.k.weight, std=d_model**-0.5)
        nn.init.normal_(self.v.weight, std=d_model**-0.5)
        nn.init.normal_(self.o.weight, std=(heads * d_kv) ** -0.5)

    def project(self, x: Tensor, names: str, real: Real | None = None) -> list[Tensor]:
        """Apply the named matrices to x (batch, n, d_model), each to (batch, heads, n, d_kv).

        With `real`, x is (real, d_model), and the results are in rows all the same.
        """
        parts = [getattr(self, name)(x) for name in names]
        if real is not None:
            parts = [real.in_rows(part) for part in parts]
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts]

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        dropout: float,
        real: Real | None = None,
    ) -> Tensor:
        """Attend with an additive bias (batch or 1, heads or 1, queries, keys).

        Returns:
            (batch, queries, d_model), or with `real` (real, d_model).
        """
        score = q @ k.transpose(-1, -2)
        if bias is not None:
            score = score + bias
        wide = torch.promote_types(score.dtype, torch.float32)
        weight = drop(score.to(wide).softmax(-1).to(v.dtype), dropout, self.training)
        read = (weight @ v).transpose(1, 2).flatten(2)
        out: Tensor = self.o(read if real is None else real.packed(read))
        return out


class Norm(nn.Module):
    """Root-mean-square normalisation."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, 1e-6)


class Sublayer(nn.Module):
    """A normalised residual branch around one module, which keeps transformers' name for it."""

    def __init__(self, name: str, module: nn.Module, d_model: int) -> None:
        super().__init__()
        self.add_module(name, module)
        self.layer_norm = Norm(d_model)


class FeedForward(nn.Module):
    """ReLU multi-layer perceptron."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.wi = nn.Linear(d_model, d_ff, bias=False)
        self.wo = nn.Linear(d_ff, d_model, bias=False)
        nn.init.normal_(self.wi.weight, std=d_model**-0.5)
        nn.init.normal_(self.wo.weight, std=d_ff**-0.5)

    def forward(self, x: Tensor, dropout: float) -> Tensor:
        out: Tensor = self.wo(relu_drop(self.wi(x), dropout, self.training))
        return out


class Block(nn.Module):
    """Self-attention, in the decoder cross-attention, and the feed-forward network."""

    def __init__(self, config: dict[str, Any], decoder: bool, first: bool) -> None:
        super().__init__()
        d_model = config["d_model"]

        def attention() -> Attention:
            return Attention(d_model, config["heads"], config["d_kv"])

        itself = attention()
        if first:
            itself.relative_attention_bias = nn.Embedding(BUCKETS, config["heads"])
            nn.init.normal_(itself.relative_attention_bias.weight, std=d_model**-0.5)
        layers = [Sublayer("SelfAttention", itself, d_model)]
        if decoder:
            layers.append(Sublayer("EncDecAttention", attention(), d_model))
        feed_forward = FeedForward(d_model, config["d_ff"])
        layers.append(Sublayer("DenseReluDense", feed_forward, d_model))
        self.layer = nn.ModuleList(layers)
        self.dropout = config["dropout"]

    def forward(
        self,
        x: Tensor,
        bias: Tensor,
        memory: KeysValues | None = None,
        memory_bias: Tensor | None = None,
        past: KeysValues | None = None,
        real: Real | None = None,
    ) -> tuple[Tensor, KeysValues]:
        """x and the first result are (batch, n, d_model), or with `real` (real, d_model)."""
        first: Any = self.layer[0]
        q, k, v = first.SelfAttention.project(first.layer_norm(x), "qkv", real)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        x = self._add(x, first.SelfAttention(q, k, v, bias, self.dropout, real))
        if memory is not None:
            cross: Any = self.layer[1]
            (q,) = cross.EncDecAttention.project(cross.layer_norm(x), "q", real)
            x = self._add(x, cross.EncDecAttention(q, *memory, memory_bias, self.dropout, real))
        last: Any = self.layer[-1]
        x = self._add(x, last.DenseReluDense(last.layer_norm(x), self.dropout))
        return x, (k, v)

    def _add(self, x: Tensor, branch: Tensor) -> Tensor:
        return x + drop(branch, self.dropout, self.training)


class Stack(nn.Module):
    """Encoder or decoder."""

    def __init__(self, config: dict[str, Any], decoder: bool) -> None:
        super().__init__()
        layers = config["decoder_layers" if decoder else "layers"]
        self.block = nn.ModuleList(Block(config, decoder, i == 0) for i in range(layers))
        self.final_layer_norm = Norm(config["d_model"])
        self.decoder = decoder

    def keys_values(self, x: Tensor) -> list[KeysValues]:
        """What a decoder's layers read of the encoder's states, (batch, heads, n, d_kv) each."""
        memory = []
        for block in self.block:
            layers: Any = block.layer
            # Contiguous, or every decoder step copies them for its products.
            k, v = (y.contiguous() for y in layers[1].EncDecAttention.project(x, "kv"))
            memory.append((k, v))
        return memory

    def position_bias(self, query: Tensor, key: Tensor) -> Tensor:
        """Learned bias of relative positions, (1, heads, queries, keys)."""
        first: Any = self.block[0]
        bucket = relative_bucket(key[None, :] - query[:, None], bidirectional=not self.decoder)
        bias: Tensor = first.layer[0].SelfAttention.relative_attention_bias(bucket)
        return bias.permute(2, 0, 1).unsqueeze(0)


def relative_bucket(offset: Tensor, bidirectional: bool) -> Tensor:
    """Bucket of key position minus query position: exact when near, logarithmic when far."""
    buckets = BUCKETS
    if bidirectional:
        buckets //= 2
        base = (offset > 0).long() * buckets
        distance = offset.abs()
    else:
        base = torch.zeros_like(offset)
        distance = (-offset).clamp(min=0)
    exact = buckets // 2
    scale = (buckets - exact) / math.log(MAX_DISTANCE / exact)
    far = exact + ((distance.clamp(min=1).float() / exact).log() * scale).long()
    return base + torch.where(distance < exact, distance, far.clamp(max=buckets - 1))
