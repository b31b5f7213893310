"""A compact network: a transformer over whole items, and a small head for the codewords of a level.

An item is one position, the sum of its codewords' embeddings. One state h of a history then tells
the whole next item: before its codeword of level j the state is z_j = h + sum_{i < j} u_i, with
embeddings u_i of the codewords chosen so far, and P(c | prefix) is a softmax of the products of
norm(z_j + MLP_j(norm(z_j))) and the level's output embeddings. So the history is read once, and a
prefix costs one small MLP.

Many items share a codeword, and so what is learned of it. The first two of an item are nearly its
own: each pair of first codewords that some item has gets a narrow vector p. A p is added to an item
where it is read, and p.(B norm(h)) to the logit of a pair's second codeword.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.artefacts import read_json, whole, write_json
from lohrec.common.autograd_functions import drop
from lohrec.common.devices import exact_products
from lohrec.common.few_shapes import few_shapes
from lohrec.identifiers.beam_search import TreeSteps
from lohrec.identifiers.codewords import CODES, LEVELS, PAD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender.networks import CodewordNetwork, Scored
from lohrec.recommender.networks.compact_layers import SHAPES, FeedForward, Layer
from lohrec.recommender.networks.compact_steps import HeadSteps, HeadTreeSteps
from lohrec.recommender.training_data import Batch

SETTINGS = {
    "width": {
        "type": "integer", "minimum": 1, "default": 256, "multiple_of": "heads",
        "description": "Width of the network, a multiple of heads.",
    },
    "layers": {"type": "integer", "minimum": 1, "default": 2, "description": "Layers over items."},
    "heads": {"type": "integer", "minimum": 1, "default": 4, "description": "Attention heads."},
    "positions": {
        "type": "integer", "minimum": 1, "default": 20,
        "description": "Distances between items that are told apart; beyond, all are alike.",
    },
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.3,
        "description": "Dropout of embeddings, attention and layers.",
    },
    "pairs": {
        "type": "integer", "minimum": 0, "default": 64,
        "description": "Width of the vectors of pairs of first codewords; 0 has none.",
    },
    "codewords": {
        "enum": ["legal", "level"], "default": "legal",
        "description": (
            "Whether the softmax runs over the level's codewords, or over those alone that go on "
            "from the prefix to an item's."
        ),
    },
}  # fmt: skip

NO_PAIRS = torch.empty(0, dtype=torch.int32)


class Compact(CodewordNetwork):
    """Causal, so that all histories which are prefixes of one row are read at once.

    Args:
        config: the values of `SETTINGS`.
        pairs: int (pairs,), the first two codewords of each pair that has a vector, as one number
            (`pair_numbers`).

    Raises:
        ValueError: the width is no multiple of the heads.
    """

    known: Tensor
    place: Tensor

    def __init__(self, config: dict[str, Any], pairs: Tensor = NO_PAIRS) -> None:
        super().__init__()
        self.config = {key: config[key] for key in SETTINGS}
        width, dropout = config["width"], config["dropout"]
        if width % config["heads"]:
            raise ValueError(
                f"networks.compact.width ({width}) is no multiple of networks.compact.heads "
                f"({config['heads']}): change one of them."
            )
        # As a history's item, as the beginning of the next item, and as what may come next.
        self.item = nn.Embedding(LEVELS * CODES + 1, width)
        self.prefix = nn.Embedding((LEVELS - 1) * CODES, width)
        self.output = nn.Parameter(torch.empty(LEVELS, CODES, width))
        # The last vector is 0: of padding, and of pairs that were not there in training.
        self.pair = nn.Embedding(len(pairs) + 1, config["pairs"], padding_idx=len(pairs))
        self.read_pair = nn.Parameter(torch.empty(width, config["pairs"]))
        self.write_pair = nn.Parameter(torch.empty(config["pairs"], width))
        place = torch.full((CODES**2 + 1,), len(pairs), device=pairs.device)
        place[pairs.long()] = torch.arange(len(pairs), device=pairs.device)
        self.register_buffer("known", pairs)
        self.register_buffer("place", place, persistent=False)
        for table in (self.item.weight, self.prefix.weight, self.output, self.pair.weight[:-1]):
            nn.init.normal_(table, std=0.05)
        for matrix in (self.read_pair, self.write_pair):
            nn.init.normal_(matrix, std=width**-0.5)
        self.layers = nn.ModuleList(
            Layer(width, config["heads"], config["positions"], dropout)
            for _ in range(config["layers"])
        )
        self.heads = nn.ModuleList(FeedForward(width, dropout) for _ in range(LEVELS))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(LEVELS))

    @classmethod
    def new(cls, config: dict[str, Any], ids: Tensor) -> "Compact":
        """An untrained network, with a vector for each pair of the identifiers."""
        return cls(config, pair_numbers(*ids.long().unbind(1)[:2]).unique().int())

    @classmethod
    def shares_rows(cls, config: dict[str, Any]) -> bool:
        """Always."""
        return True

    def read(
        self, history: Tensor, row: Tensor | None = None, length: Tensor | None = None
    ) -> Tensor:
        """The state h of every history, (examples, width).

        Args:
            history: int64 tokens (rows, tokens), PAD on the right: no item reads what follows it.
            row: int64 (examples,), of examples that are prefixes of the rows; by default every row
                is one example.
            length: int64 (examples,), tokens of each example's history; given with `row`.
        """
        x = self._items(history.unflatten(1, (-1, LEVELS)))
        x = drop(x, self.config["dropout"], self.training)
        if length is None:
            length = (history != PAD).sum(1)
        last = length // LEVELS - 1
        *below, top = self.layers
        for layer in below:
            x = layer(x)
        if row is None:
            state: Tensor = top(x, last.unsqueeze(1))[:, 0]
            return state
        x = top(x)
        return torch.flatten(x, 0, 1).index_select(0, row * x.shape[1] + last)

    def _items(self, tokens: Tensor) -> Tensor:
        """Embeddings (..., width) of items, int64 tokens (..., levels)."""
        x: Tensor = self.item(tokens).sum(-2)
        pair = self.pair(self.place_of(tokens[..., 0], tokens[..., 1] - CODES))
        return x + F.linear(pair, self.read_pair)

    def place_of(self, first: Tensor, second: Tensor) -> Tensor:
        """Where pairs of codewords, or of padding, have their vectors."""
        return self.place[pair_numbers(first, second).clamp(max=CODES**2)]

    def pair_logits(self, state: Tensor, place: Tensor | slice = slice(None)) -> Tensor:
        """What states (n, width) of histories add to logits of pairs, float32 (n, pairs).

        Args:
            place: of the pairs that are asked for; by default all, and after them the missing one.
        """
        with torch.autocast(state.device.type, enabled=False), exact_products():
            state = F.layer_norm(state.float(), state.shape[-1:])
            weight = self.pair.weight
            if torch.is_grad_enabled():  # the missing pair stays 0, also with `codewords: level`
                weight = torch.cat([weight[:-1], weight[-1:].detach()])
            return F.linear(F.linear(state, self.write_pair), weight[place])

    def second(self, pairs: Tensor, example: Tensor, first: Tensor) -> Tensor:
        """What is added to the logits of second codewords, float32 (..., codes).

        Args:
            pairs: the `pair_logits` of some histories.
            example: int64 (...), which of them.
            first: int64 (...), the first codeword.
        """
        place = self.place[:-1].view(CODES, CODES)[first] + example.unsqueeze(-1) * pairs.shape[1]
        return pairs.flatten().index_select(0, place.flatten()).view(place.shape)

    def further(self, level: int, state: Tensor, code: Tensor) -> Tensor:
        """States (..., width) after the codeword of `level` - 1, int64 (...), is chosen."""
        chosen: Tensor = self.prefix(code + (level - 1) * CODES)
        return state + chosen

    def logits(self, level: int, state: Tensor) -> Tensor:
        """Logits of a level's codewords, float32 (..., codes), of states (..., width)."""
        state, rows = few_shapes(state.flatten(0, -2), SHAPES), state.shape[:-1]
        return self.read_out(level, self.heads[level](state)[: rows.numel()].unflatten(0, rows))

    def read_out(self, level: int, x: Tensor) -> Tensor:
        """Logits of a level's codewords, float32 (..., codes), of what its head makes of states."""
        x = self.norms[level](x)
        # In float32 also under autocast: Eq. 14 ranks by smaller differences than bfloat16 has.
        with torch.autocast(x.device.type, enabled=False), exact_products():
            return F.linear(x.float(), self.output[level].float())

    def open_logits(self, level: int, state: Tensor, certain: Tensor) -> Tensor:
        """`logits`, but zeros where one codeword is legal and takes all whatever its logit is.

        Args:
            state: (..., width).
            certain: bool (...), prefixes of a single identifier.
        """
        place = (~certain).flatten().nonzero().flatten()
        some = self.logits(level, state.flatten(0, -2).index_select(0, place))
        every = some.new_zeros(certain.numel(), CODES).index_copy(0, place, some)
        return every.view(*certain.shape, CODES)

    def score(self, batch: Batch, tree: PrefixTree) -> Scored:
        """Log-probabilities of candidates; prefixes that they share are computed once."""
        ids = batch.candidates
        state = self.read(batch.history, batch.row, batch.length)
        # The key of a prefix: the example's number and the codewords, as digits.
        key = torch.arange(len(ids), device=ids.device)
        place = key.unsqueeze(1).expand(ids.shape[:2])  # of each candidate's prefix
        node = torch.zeros_like(key)
        total, along_first = torch.zeros((), device=ids.device), []
        pairs = self.pair_logits(state)
        for level, code in enumerate(ids.unbind(-1)):
            child = tree.children(level, node)
            if self.legal:
                logits = self.open_logits(level, state, tree.certain(level, node))
            else:
                logits = self.logits(level, state)
            if level == 1:
                logits = logits + self.second(pairs, key // CODES, key % CODES)
            if self.legal:
                logits = logits.masked_fill(child < 0, -torch.inf)
            log_p = logits.log_softmax(-1)
            total = total + log_p[place, code]
            along_first.append(log_p.index_select(0, place[:, 0]))
            if level + 1 < LEVELS:
                longer, below = (key[place] * CODES + code).unique(return_inverse=True)
                parent, chosen = torch.searchsorted(key, longer // CODES), longer % CODES
                state = self.further(level + 1, state.index_select(0, parent), chosen)
                key, place, node = longer, below, child[parent, chosen]
        return Scored(total, torch.stack(along_first, 1))

    def first_code(self, level: int) -> int:
        """A softmax runs over one level."""
        return 0

    def steps(self, history: Tensor, padded: bool = True) -> HeadSteps:
        """What a beam search asks of the network, see `CodewordNetwork.steps`."""
        return HeadSteps(self, history)

    def tree_steps(
        self, history: Tensor, tree: PrefixTree, renormalise: bool, padded: bool = True
    ) -> TreeSteps:
        """What a search in a tree asks of the network, see `CodewordNetwork.tree_steps`."""
        if renormalise:
            return HeadTreeSteps(self, history, tree)
        return super().tree_steps(history, tree, renormalise, padded)

    @torch.no_grad()
    def embed(self, ids: Tensor) -> Tensor:
        """Items as the network reads them, float (items, width): sums over their codewords."""
        return self._items(tokens(ids))

    def save(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors."""
        folder = Path(folder)
        weights = {key: value.detach().contiguous() for key, value in self.state_dict().items()}
        with whole(folder / "model.safetensors") as temporary:
            save_file(weights, temporary)
        write_json(folder / "config.json", self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "Compact":
        """Read a folder written by `save`."""
        weights = load_file(Path(folder) / "model.safetensors")
        model = cls(read_json(Path(folder) / "config.json"), weights["known"])
        model.load_state_dict(weights)
        return model.eval()


def pair_numbers(first: Tensor, second: Tensor) -> Tensor:
    """Pairs of first codewords as one number, 0 .. CODES^2 - 1."""
    return first * CODES + second


Network = Compact
