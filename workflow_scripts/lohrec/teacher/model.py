"""The teacher: a decoder-only language model that reads and writes identifiers (Section 4.2)."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from lohrec.common.devices import exact_products
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import CODES, LEVELS, PAD

SETTINGS = {
    "kind": {
        "enum": ["scratch", "scratch_text", "pretrained"], "default": "pretrained",
        "description": (
            "LLaMA's architecture over codewords alone with fresh weights (scratch), the same "
            "with words and text tasks (scratch_text), or a checkpoint of its own size "
            "(pretrained)."
        ),
    },
    "network": {
        "hidden": {
            "type": "integer", "minimum": 1, "default": 1024,
            "description": "Width of the model.",
        },
        "layers": {
            "type": "integer", "minimum": 1, "default": 12,
            "description": "Number of blocks.",
        },
        "heads": {
            "type": "integer", "minimum": 1, "default": 16,
            "description": "Attention heads.",
        },
        "intermediate": {
            "type": "integer", "minimum": 1, "default": 2816,
            "description": "Width of the feed-forward layers.",
        },
        "dropout": {
            "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.1,
            "description": (
                "Dropout of embeddings and of what a block adds to them, of a teacher from "
                "scratch."
            ),
        },
    },
}  # fmt: skip

START = PAD + 1  # over codewords alone


def build(settings: dict, tokenizer=None) -> LlamaForCausalLM:
    """LLaMA's architecture with fresh weights.

    Args:
        settings: the section `teacher`.
        tokenizer: of the words that it reads; None for codewords alone, where a prompt is a start
            token and the identifiers of the history.

    Raises:
        ValueError: the hidden size does not fit the heads.
    """
    if settings["hidden"] % (2 * settings["heads"]):
        raise ValueError(
            f"teacher.network.hidden ({settings['hidden']}) must be a multiple of twice "
            f"teacher.network.heads ({settings['heads']}): rotary positions turn pairs of a head's "
            "dimensions."
        )
    words = {"vocab_size": LEVELS * CODES + 2, "pad_token_id": PAD, "bos_token_id": START}
    if tokenizer is not None:
        words = {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id}
    torch.manual_seed(settings["seed"])
    config = LlamaConfig(
        hidden_size=settings["hidden"],
        intermediate_size=settings["intermediate"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        max_position_embeddings=1024 if tokenizer is None else 4096,
        tie_word_embeddings=True,
        eos_token_id=None,
        **words,
    )
    return LlamaForCausalLM(config)


def head(model: PreTrainedModel) -> torch.nn.Module:
    """The layer from hidden states to logits over the vocabulary."""
    return model.get_output_embeddings()


def logits_of(model: PreTrainedModel, state: Tensor) -> Tensor:
    """Logits over the vocabulary, float32 (..., vocabulary), from last hidden states.

    A trained teacher's are exact also under autocast: bfloat16 would round them by about the
    differences between candidates, whose order is what ranking teaches.
    """
    layer = head(model)
    # While LoRA learns, the layer adds to its weights what it has learned of the codewords.
    if model.training or type(layer) is not torch.nn.Linear:
        return layer(state).float()
    bias = None if layer.bias is None else layer.bias.float()
    with torch.autocast(state.device.type, enabled=False), exact_products():
        return F.linear(state.float(), layer.weight.float(), bias)


def save(
    model: PreTrainedModel, folder: str | Path, beside: Callable[[Path], None] | None = None
) -> None:
    """Write a folder that transformers' `from_pretrained` reads; whole or not at all.

    Args:
        beside: writes what else belongs into the folder.
    """
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    # One file, so that its name is known before.
    model.save_pretrained(temporary, max_shard_size="1TB")
    if beside is not None:
        beside(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def load(folder: str | Path, device: torch.device | str = "cpu") -> PreTrainedModel:
    """The teacher saved in `folder`, in evaluation mode.

    Raises:
        FileNotFoundError: the folder holds no model.
    """
    if not (Path(folder) / "config.json").exists():
        raise FileNotFoundError(f"{folder} holds no teacher; train it first (rule train_teacher).")
    return AutoModelForCausalLM.from_pretrained(folder).to(device).eval()


@dataclass(frozen=True)
class Windows:
    """Rows of items that serve many examples at once, for a causal model reads each prefix once.

    Example i has the first place[i] items of row[i] as its history and the next as its target.

    Attributes:
        sequences: int32 items, user by user.
        start: int64 (windows,), first item of each.
        length: int64 (windows,), items of the longest history in each; the target comes after.
        row: int64 (examples,).
        place: int64 (examples,).
    """

    sequences: np.ndarray
    start: np.ndarray
    length: np.ndarray
    row: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, examples: Examples) -> "Windows":
        """Windows of the examples; those that begin at the same item share one."""
        start, row = np.unique(examples.start, return_inverse=True)
        place = examples.length
        length = np.zeros(len(start), dtype=np.int64)
        np.maximum.at(length, row, place)
        return cls(examples.sequences, start, length, row, place)

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def _by_row(self) -> tuple[np.ndarray, np.ndarray]:
        """Examples in the order of their windows, and where each window's begin."""
        order = np.argsort(self.row, kind="stable")
        return order, np.searchsorted(self.row[order], np.arange(len(self) + 1))

    def examples_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All examples of the windows `rows`, and for each the number of its window in `rows`."""
        order, first = self._by_row
        count = first[rows + 1] - first[rows]
        row = np.repeat(np.arange(len(rows)), count)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return order[first[rows][row] + offset], row

    def batches(self, examples: int, rng: np.random.Generator | None = None) -> list[np.ndarray]:
        """All windows in batches of like length, each with about `examples` examples.

        With `rng` the windows of one length and the batches come in random order.
        """
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        order = order[np.argsort(self.length[order], kind="stable")]
        if not len(order):
            return []
        count = np.bincount(self.row, minlength=len(self))[order]
        # Cut by examples, not windows, so that those of short users weigh no more than others.
        number = (np.cumsum(count) - 1) // examples
        parts = np.split(order, np.flatnonzero(np.diff(number)) + 1)
        return parts if rng is None else [parts[i] for i in rng.permutation(len(parts))]

    def items(self, rows: np.ndarray, targets: bool) -> np.ndarray:
        """Items of windows, int32 (rows, longest), -1 on the right; with or without the target."""
        length = self.length[rows] + targets
        offset = np.arange(length.max(initial=1))
        real = offset < length[:, None]
        place = np.where(real, self.start[rows, None] + offset, 0)
        return np.where(real, self.sequences[place], -1).astype(np.int32)


def prompts(items: np.ndarray, table: np.ndarray) -> Tensor:
    """The start token and the items' codewords, int64 (rows, 1 + 4 * items); PAD for item -1."""
    tokens = table[items].reshape(len(items), -1)
    return torch.from_numpy(np.pad(tokens, ((0, 0), (1, 0)), constant_values=START))


def answer_logits(model: PreTrainedModel, asked) -> Tensor:
    """Teacher-forced logits of the true targets, one forward for all examples.

    The state at token t predicts token t + 1. Padding is on the right, where a causal model never
    looks.

    Args:
        asked: `questions.Asked` with the answers after the prompts, on the model's device.

    Returns:
        float32 (n, levels, vocabulary).
    """
    state = model.base_model(input_ids=asked.tokens, use_cache=False).last_hidden_state
    position = asked.length[:, None] - 1 + torch.arange(LEVELS, device=asked.length.device)
    return logits_of(model, state[asked.row[:, None], position])


def probabilities(
    logits: Tensor,
    codewords: str,
    temperature: float,
    first: int = 0,
    legal: Tensor | None = None,
) -> Tensor:
    """The teacher's distribution over codewords at every level (Eq. 12).

    Args:
        logits: (n, levels, vocabulary).
        codewords: "legal": the softmax runs over the codewords that some item has after the prefix;
            "level": over the level's own; "all": over those of every level.
        temperature: divides the logits.
        first: the token of the first codeword.
        legal: bool (n, levels, 256), which codewords are, see `PrefixTree.legal`; for "legal".

    Returns:
        float32 (n, levels, 256) or (n, levels, 1024).
    """
    logits = logits[..., first : first + LEVELS * CODES].float() / temperature
    if codewords != "all":
        level = torch.arange(LEVELS, device=logits.device)
        logits = logits.unflatten(-1, (LEVELS, CODES))[:, level, level]
    if legal is not None:
        logits = logits.masked_fill(~legal, -torch.inf)
    return logits.softmax(-1)
