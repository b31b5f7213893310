"""The lightweight recommender: a T5 whose weights are those of T5ForConditionalGeneration (4.2)."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lohrec.common.artefacts import whole, write_json
from lohrec.common.autograd_functions import drop, pack, relu_drop, rms_norm, unpack
from lohrec.common.devices import exact_products
from lohrec.identifiers.codewords import CODES, LEVELS, PAD

SETTINGS = {
    "d_model": {
        "type": "integer", "minimum": 1, "default": 384,
        "description": "Width of the model.",
    },
    "d_ff": {
        "type": "integer", "minimum": 1, "default": 1024,
        "description": "Width of the feed-forward layers.",
    },
    "heads": {"type": "integer", "minimum": 1, "default": 6, "description": "Attention heads."},
    "d_kv": {"type": "integer", "minimum": 1, "default": 64, "description": "Width of a head."},
    "layers": {
        "type": "integer", "minimum": 1, "default": 4,
        "description": "Layers of the encoder.",
    },
    "decoder_layers": {
        "type": "integer", "minimum": 1, "default": 4,
        "description": "Layers of the decoder.",
    },
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.1,
        "description": (
            "Dropout of embeddings, attention and layers; it costs a CPU as much time as the rest "
            "of the step."
        ),
    },
    "codewords": {
        "enum": ["level", "all"], "default": "all",
        "description": (
            "Whether the softmax runs over the level's codewords or over all, as in probabilities."
        ),
    },
    "causal_encoder": {
        "type": "boolean", "default": False,
        "description": "Whether the prefixes of a sequence share one causal encoding; much faster.",
    },
}  # fmt: skip

CODEWORDS = LEVELS * CODES
START, END = PAD + 1, PAD + 2
VOCABULARY = CODEWORDS + 3

BUCKETS, MAX_DISTANCE = 32, 128

CONFIG = (
    "d_model", "d_ff", "heads", "d_kv", "layers", "decoder_layers", "dropout", "codewords",
    "causal_encoder",
)  # fmt: skip

KeysValues = tuple[Tensor, Tensor]
Memory = tuple[list[KeysValues], Tensor | None]


class Real(NamedTuple):
    """Which of the places (batch, places) are no padding.

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
        return unpack(x, self.place, self.batch * self.places).unflatten(0, (self.batch, -1))


def tokens(ids: Tensor) -> Tensor:
    """Token of each codeword: identifiers (..., levels) -> int64 of the same shape."""
    return ids.long() + torch.arange(LEVELS, device=ids.device) * CODES


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
        weight = drop(score.float().softmax(-1).to(v.dtype), dropout, self.training)
        read = (weight @ v).transpose(1, 2).flatten(2)
        return self.o(read if real is None else real.packed(read))


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
        return self.wo(relu_drop(self.wi(x), dropout, self.training))


class Block(nn.Module):
    """Self-attention, in the decoder cross-attention, and the feed-forward network."""

    def __init__(self, config: dict, decoder: bool, first: bool) -> None:
        super().__init__()
        d_model = config["d_model"]

        def attention() -> Attention:
            return Attention(d_model, config["heads"], config["d_kv"])

        own = attention()
        if first:
            own.relative_attention_bias = nn.Embedding(BUCKETS, config["heads"])
            nn.init.normal_(own.relative_attention_bias.weight, std=d_model**-0.5)
        layers = [Sublayer("SelfAttention", own, d_model)]
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
        own = self.layer[0]
        q, k, v = own.SelfAttention.project(own.layer_norm(x), "qkv", real)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        x = self._add(x, own.SelfAttention(q, k, v, bias, self.dropout, real))
        if memory is not None:
            cross = self.layer[1]
            (q,) = cross.EncDecAttention.project(cross.layer_norm(x), "q", real)
            x = self._add(x, cross.EncDecAttention(q, *memory, memory_bias, self.dropout, real))
        last = self.layer[-1]
        x = self._add(x, last.DenseReluDense(last.layer_norm(x), self.dropout))
        return x, (k, v)

    def _add(self, x: Tensor, branch: Tensor) -> Tensor:
        return x + drop(branch, self.dropout, self.training)


class Stack(nn.Module):
    """Encoder or decoder."""

    def __init__(self, config: dict, decoder: bool) -> None:
        super().__init__()
        layers = config["decoder_layers" if decoder else "layers"]
        self.block = nn.ModuleList(Block(config, decoder, i == 0) for i in range(layers))
        self.final_layer_norm = Norm(config["d_model"])
        self.decoder = decoder

    def position_bias(self, query: Tensor, key: Tensor) -> Tensor:
        """Learned bias of relative positions, (1, heads, queries, keys)."""
        table = self.block[0].layer[0].SelfAttention.relative_attention_bias
        bucket = relative_bucket(key[None, :] - query[:, None], bidirectional=not self.decoder)
        return table(bucket).permute(2, 0, 1).unsqueeze(0)


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


class T5(nn.Module):
    """Encoder-decoder over codewords, with the tree of decoder positions as the general case.

    Args:
        config: d_model, d_ff, heads, d_kv, layers (of the encoder), decoder_layers, dropout, and
            codewords: "level" normalises probabilities over a level's codewords, "all" over those
            of all levels (Eq. 9-12); causal_encoder: history tokens attend to earlier ones only, so
            that all prefixes of a sequence are encoded at once.
    """

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.config = {key: config[key] for key in CONFIG}
        self.shared = nn.Embedding(VOCABULARY, config["d_model"])
        self.encoder = Stack(self.config, decoder=False)
        self.decoder = Stack(self.config, decoder=True)
        # T5's unit embeddings are made for relative step sizes. AdamW moves every entry by the same
        # step, and learns several times faster from small embeddings; the last norm makes up for
        # the scale of the tied output.
        nn.init.normal_(self.shared.weight, std=0.05)
        nn.init.constant_(self.decoder.final_layer_norm.weight, config["d_model"] ** 0.5)

    def encode(
        self,
        token: Tensor,
        padded: bool = True,
        row: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Memory:
        """Encode histories once; every decoder position then attends to the result.

        A causal encoder closes every item with END, which reads all items up to there and is read
        by the decoder alone. So each prefix of a row ends as a history of its own would: in one
        END, whose relative positions tell recent items from old ones.

        Args:
            token: int64 (rows, tokens), PAD on the right.
            padded: False promises that there is no PAD, and saves the masks.
            row: int64 (examples,), causal encoder only: examples that are prefixes of the rows; by
                default every row is one example.
            length: int64 (examples,), tokens of each example's history; given with `row`.

        Returns:
            per decoder layer the cross-attention keys and values (examples, heads, places, d_kv),
            and their additive mask (examples, 1, 1, places) or None.
        """
        dropout = self.config["dropout"]
        causal = self.config["causal_encoder"]
        if row is not None and not causal:
            raise ValueError("Only a causal encoder reads several examples in one row.")
        place = torch.arange(token.shape[1], device=token.device)
        if causal:
            if length is None:
                length = (token != PAD).sum(1)
            closed = F.pad(token.unflatten(1, (-1, LEVELS)), (0, 1), value=END)
            token = closed.flatten(1)
            place = torch.arange(token.shape[1], device=token.device)
            end = place % (LEVELS + 1) == LEVELS
            place = place - place // (LEVELS + 1)  # an END stands where the next item begins
            # Items read items; an END reads items and itself.
            itself = torch.eye(len(place), dtype=torch.bool, device=token.device)
            read = itself | (~end & (place < place[:, None]))
            bias = torch.where(read, self.encoder.position_bias(place, place), -math.inf)
            hidden = torch.where(end, place != length[:, None], place >= length[:, None])
        else:
            bias = self.encoder.position_bias(place, place)
            hidden = token == PAD if padded else None
        mask = None
        if hidden is not None:
            mask = torch.zeros(hidden.shape, device=token.device).masked_fill(hidden, -math.inf)
            mask = mask[:, None, None]
            if not causal:
                bias = bias + mask

        x = drop(self.shared(token), dropout, self.training)
        for block in self.encoder.block:
            x, _ = block(x, bias)
        x = drop(self.encoder.final_layer_norm(x), dropout, self.training)
        memory = []
        for block in self.decoder.block:
            # Contiguous, or every decoder step copies them for its products.
            k, v = (y.contiguous() for y in block.layer[1].EncDecAttention.project(x, "kv"))
            memory.append((k, v) if row is None else (k[row], v[row]))
        return memory, mask

    def decode(
        self,
        token: Tensor,
        depth: Tensor,
        allowed: Tensor,
        memory: Memory,
        past: list[KeysValues] | None = None,
        real: Real | None = None,
    ) -> tuple[Tensor, list[KeysValues]]:
        """Decoder states of tree nodes; a plain sequence is the tree without branches.

        Args:
            token: int64 (batch, new), the codeword that leads to each new node; START at the root.
            depth: int64 (nodes,), depths of all nodes, `new` of them at the end.
            allowed: bool (batch or 1, new, nodes), which nodes each new node attends to: itself
                and its ancestors.
            memory: from `encode`.
            past: per layer keys and values of the earlier nodes.
            real: which of the new nodes are any; the others' states are zeros. None for all.

        Returns:
            states (batch, new, d_model), scaled for the tied output matrix, and the keys and values
            of all nodes.
        """
        dropout = self.config["dropout"]
        if real is not None:
            token = token.flatten()[real.place]
        x = drop(self.shared(token), dropout, self.training)
        bias = self.decoder.position_bias(depth[-allowed.shape[1] :], depth)
        bias = torch.where(allowed.unsqueeze(1), bias, -math.inf)
        present = []
        for i, block in enumerate(self.decoder.block):
            x, kv = block(x, bias, memory[0][i], memory[1], past[i] if past else None, real)
            present.append(kv)
        x = drop(self.decoder.final_layer_norm(x), dropout, self.training)
        x = x * self.config["d_model"] ** -0.5
        return x if real is None else real.in_rows(x), present

    def log_probabilities(self, state: Tensor, level: int) -> Tensor:
        """Log-probability of every codeword that takes part in the normalisation.

        Args:
            state: (..., d_model) from `decode`, at depth `level`.
            level: 0 .. levels - 1.

        Returns:
            float32 (..., codes), or (..., levels * codes) with codewords "all"; `first_code` tells
            where the level's own codewords begin.
        """
        weight = self.shared.weight[:CODEWORDS]
        if self.config["codewords"] == "level":
            weight = weight[level * CODES : (level + 1) * CODES]
        # In float32 also under autocast: bfloat16 would round logits by about the differences that
        # Eq. 14 ranks by, and this product is a hundredth of the decoder's work.
        with torch.autocast(state.device.type, enabled=False), exact_products():
            return F.linear(state.float(), weight.float()).log_softmax(-1)

    def first_code(self, level: int) -> int:
        """Column of a level's codeword 0 in `log_probabilities`."""
        return level * CODES if self.config["codewords"] == "all" else 0

    def save(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; transformers reads the folder as it is."""
        folder = Path(folder)
        weights = {key: value.detach().contiguous() for key, value in self.state_dict().items()}
        with whole(folder / "model.safetensors") as temporary:
            save_file(weights, temporary, metadata={"format": "pt"})
        c = self.config
        write_json(
            folder / "config.json",
            {
                "architectures": ["T5ForConditionalGeneration"],
                "model_type": "t5",
                "vocab_size": VOCABULARY,
                "d_model": c["d_model"],
                "d_kv": c["d_kv"],
                "d_ff": c["d_ff"],
                "num_layers": c["layers"],
                "num_decoder_layers": c["decoder_layers"],
                "num_heads": c["heads"],
                "dropout_rate": c["dropout"],
                "feed_forward_proj": "relu",
                "relative_attention_num_buckets": BUCKETS,
                "relative_attention_max_distance": MAX_DISTANCE,
                "tie_word_embeddings": True,
                "pad_token_id": PAD,
                "decoder_start_token_id": START,
                "eos_token_id": None,
                "codewords": c["codewords"],
                "causal_encoder": c["causal_encoder"],
            },
        )

    @classmethod
    def load(cls, folder: str | Path) -> "T5":
        """Read a folder written by `save`."""
        c = json.loads((Path(folder) / "config.json").read_text())
        model = cls(
            {
                "d_model": c["d_model"],
                "d_ff": c["d_ff"],
                "heads": c["num_heads"],
                "d_kv": c["d_kv"],
                "layers": c["num_layers"],
                "decoder_layers": c["num_decoder_layers"],
                "dropout": c["dropout_rate"],
                "codewords": c["codewords"],
                "causal_encoder": c["causal_encoder"],
            }
        )
        model.load_state_dict(load_file(Path(folder) / "model.safetensors"))
        return model.eval()
