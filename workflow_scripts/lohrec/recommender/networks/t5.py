"""The lightweight recommender: a T5 whose weights are those of T5ForConditionalGeneration (4.2)."""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lohrec.common.artefacts import read_json, whole, write_json
from lohrec.common.autograd_functions import drop
from lohrec.common.devices import exact_products
from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.codewords import CODES, LEVELS, PAD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import candidate_tree
from lohrec.recommender.networks import CodewordNetwork, Scored, transformers_settings
from lohrec.recommender.networks.t5_layers import KeysValues, Real, Stack
from lohrec.recommender.networks.t5_steps import DecoderSteps, DecoderTreeSteps
from lohrec.recommender.networks.t5_tokens import CODEWORDS, END, VOCABULARY
from lohrec.recommender.training_data import Batch

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
    "layers": {"type": "integer", "minimum": 1, "default": 4, "description": "Encoder layers."},
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
        "enum": ["legal", "level", "all"], "default": "all",
        "description": (
            "Whether the softmax runs over the codewords that some item has after the prefix, over "
            "the level's, or over all, as in probabilities."
        ),
    },
    "causal_encoder": {
        "type": "boolean", "default": False,
        "description": "Whether the prefixes of a sequence share one causal encoding; much faster.",
    },
    "recency": {
        "type": "boolean", "default": False,
        "description": (
            "Whether the decoder's attention to an item has a learned bias by how many came after "
            "it; without, a causal encoder's recent items look like old ones."
        ),
    },
}  # fmt: skip

# Items from the end of a history that have a bias each; older ones have the last one's.
RECENT = 20

# Of each decoder layer the cross-attention's, and their mask.
Memory = tuple[list[KeysValues], Tensor | None]


class T5(CodewordNetwork):
    """Encoder-decoder over codewords, with the tree of decoder positions as the general case.

    Args:
        config: the values of `SETTINGS` (codewords: Eq. 9-12).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = {key: config[key] for key in SETTINGS}
        self.shared = nn.Embedding(VOCABULARY, config["d_model"])
        self.encoder = Stack(self.config, decoder=False)
        self.decoder = Stack(self.config, decoder=True)
        if config["recency"]:
            self.recency = nn.Embedding(RECENT, config["heads"])
            # Attention begins in proportion to 1 / (1 + items after it): from none at all, what an
            # item means and when it came would have to be learned before either pays.
            after = torch.arange(RECENT).log1p()
            nn.init.zeros_(self.recency.weight).data -= after.unsqueeze(1)
        # T5's unit embeddings are made for relative step sizes. AdamW moves every entry by the same
        # step, and learns several times faster from small embeddings; the last norm makes up for
        # the scale of the tied output.
        nn.init.normal_(self.shared.weight, std=0.05)
        nn.init.constant_(self.decoder.final_layer_norm.weight, config["d_model"] ** 0.5)

    @classmethod
    def shares_rows(cls, config: dict[str, Any]) -> bool:
        """With a causal encoder."""
        return bool(config["causal_encoder"])

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
            padded: False promises that there is no PAD, and saves the masks of an encoder that is
                not causal.
            row: int64 (examples,), causal encoder only: examples that are prefixes of the rows; by
                default every row is one example.
            length: int64 (examples,), tokens of each example's history; given with `row`.

        Returns:
            per decoder layer the cross-attention keys and values (examples, heads, places, d_kv),
            and their additive mask (examples or 1, heads or 1, 1, places) or None.
        """
        dropout = self.config["dropout"]
        causal = self.config["causal_encoder"]
        if row is not None and not causal:
            raise ValueError("Only a causal encoder reads several examples in one row.")
        place = torch.arange(token.shape[1], device=token.device)
        if length is None:
            length = (token != PAD).sum(1)
        step = LEVELS  # from item to item
        if causal:
            step = LEVELS + 1
            closed = F.pad(token.unflatten(1, (-1, LEVELS)), (0, 1), value=END)
            token = closed.flatten(1)
            place = torch.arange(token.shape[1], device=token.device)
            end = place % (LEVELS + 1) == LEVELS
            place = place - place // (LEVELS + 1)  # an END stands where the next item begins
            # Items read items; an END reads items and itself.
            itself = torch.eye(len(place), dtype=torch.bool, device=token.device)
            read = itself | (~end & (place < place[:, None]))
            bias = torch.where(read, self.encoder.position_bias(place, place), -math.inf)
            ends = length[:, None]
            hidden: Tensor | None = torch.where(end, place != ends, place >= ends)
        else:
            bias = self.encoder.position_bias(place, place)
            hidden = token == PAD if padded else None
        mask = None
        if hidden is not None:
            mask = torch.zeros(hidden.shape, device=token.device).masked_fill(hidden, -math.inf)
            mask = mask[:, None, None]
            if not causal:
                bias = bias + mask
        if self.config["recency"]:
            item = torch.arange(token.shape[1], device=token.device) // step
            after = (length[:, None] // LEVELS - 1 - item).clamp(0, RECENT - 1)
            recency = self.recency(after).transpose(1, 2).unsqueeze(2)
            mask = recency if mask is None else mask + recency

        x = drop(self.shared(token), dropout, self.training)
        for block in self.encoder.block:
            x, _ = block(x, bias)
        x = drop(self.encoder.final_layer_norm(x), dropout, self.training)
        memory = self.decoder.keys_values(x)
        if row is not None:  # on several threads the gradient of `k[row]` differs from run to run
            memory = [(k.index_select(0, row), v.index_select(0, row)) for k, v in memory]
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

    def log_probabilities(self, state: Tensor, level: int, legal: Tensor | None = None) -> Tensor:
        """Log-probability of every codeword that takes part in the normalisation.

        Args:
            state: (..., d_model) from `decode`, at depth `level`.
            level: 0 .. levels - 1.
            legal: bool (..., codes), to which the others are -inf; None for all.

        Returns:
            float32 (..., codes), or with codewords "all" (..., levels * codes); see `first_code`.
        """
        weight = self.shared.weight[:CODEWORDS]
        if self.config["codewords"] != "all":
            weight = weight[level * CODES : (level + 1) * CODES]
        # In float32 also under autocast: Eq. 14 ranks by differences of what bfloat16 rounds away.
        with torch.autocast(state.device.type, enabled=False), exact_products():
            wide = torch.promote_types(state.dtype, torch.float32)
            logits = F.linear(state.to(wide), weight.to(wide))
            if legal is not None:
                logits = logits.masked_fill(~legal, -math.inf)
            return logits.log_softmax(-1)

    def score(self, batch: Batch, tree: PrefixTree) -> Scored:
        """Log-probabilities of all candidates in one decoder pass, see `CodewordNetwork.score`."""
        memory = self.encode(batch.history, batch.padded, batch.row, batch.length)
        full = batch.candidates.device.type != "cpu"  # shapes known without asking the device
        return candidate_tree.score(self, memory, batch.candidates, tree, full)

    def first_code(self, level: int) -> int:
        """Column of a level's codeword 0 in `log_probabilities`."""
        return level * CODES if self.config["codewords"] == "all" else 0

    def steps(self, history: Tensor, padded: bool = True) -> DecoderSteps:
        """What a beam search asks of the network, see `CodewordNetwork.steps`."""
        return DecoderSteps(self, history, padded)

    def tree_steps(
        self, history: Tensor, tree: PrefixTree, renormalise: bool, padded: bool = True
    ) -> TreeSteps:
        """What a search in a tree asks of the network, see `CodewordNetwork.tree_steps`."""
        if renormalise:
            return DecoderTreeSteps(self, history, tree, padded)
        return super().tree_steps(history, tree, renormalise, padded)

    def free_steps(self, history: Tensor) -> DecoderSteps:
        """The same over all levels' codewords, see `CodewordNetwork.free_steps`."""
        return DecoderSteps(self, history, padded=True, free=True)

    @torch.no_grad()
    def embed(self, ids: Tensor) -> Tensor:
        """Items as the network knows them, float (items, d_model): means over their codewords."""
        return torch.mean(self.shared(tokens(ids)), 1)

    def save(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors, which transformers reads too.

        What was trained is computed there only if it has neither `causal_encoder` nor `recency`,
        and a softmax over all codewords.
        """
        folder = Path(folder)
        weights = {key: value.detach().contiguous() for key, value in self.state_dict().items()}
        with whole(folder / "model.safetensors") as temporary:
            save_file(weights, temporary, metadata={"format": "pt"})
        write_json(folder / "config.json", transformers_settings.of(self.config))

    @classmethod
    def load(cls, folder: str | Path) -> "T5":
        """Read a folder written by `save`."""
        model = cls(transformers_settings.read(read_json(Path(folder) / "config.json"), SETTINGS))
        model.load_state_dict(load_file(Path(folder) / "model.safetensors"))
        return model.eval()


Network = T5
