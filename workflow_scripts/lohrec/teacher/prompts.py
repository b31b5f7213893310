"""Prompts: histories as a teacher reads them before it writes an identifier (Section 4.2)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from lohrec.common import artefacts
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import LEVELS, token_table, written
from lohrec.teacher.model import START
from lohrec.teacher.text_tasks import Phrasing, history_text
from lohrec.teacher.tokenizers import first_codeword
from lohrec.teacher.windows import Windows

# What a teacher with words needs besides its network.
Words = tuple[PreTrainedTokenizerBase, Phrasing]


@dataclass(frozen=True)
class PromptBatch:
    """Prompts of some examples; those that begin alike may share a row.

    Attributes:
        example: int64 (n,), numbers of the examples.
        tokens: int64 (rows, longest), padded on the right.
        row: int64 (n,), where each example is read.
        length: int64 (n,), tokens of its prompt; the answer comes after.
        answer: int64 (n, levels), tokens of the true target.
    """

    example: np.ndarray
    tokens: Tensor
    row: Tensor
    length: Tensor
    answer: Tensor

    def to(self, device: torch.device) -> "PromptBatch":
        """The same on another device."""
        parts = (self.tokens, self.row, self.length, self.answer)
        return PromptBatch(self.example, *(part.to(device) for part in parts))


def prompt_tokens(items: np.ndarray, table: np.ndarray) -> Tensor:
    """The start token and the items' codewords, int64 (rows, 1 + 4 * items); PAD for item -1."""
    tokens = table[items].reshape(len(items), -1)
    return torch.from_numpy(np.pad(tokens, ((0, 0), (1, 0)), constant_values=START))


class CodewordPrompts:
    """Prompts of a model over codewords alone: a start token and the history's, one row a window.

    Args:
        examples: whose histories are read.
        ids: int (items, levels).
    """

    first = 0

    def __init__(self, examples: Examples, ids: np.ndarray) -> None:
        self.windows = Windows.of(examples)
        self.table = token_table(ids)

    def batches(self, size: int, rng: np.random.Generator | None = None) -> list[np.ndarray]:
        """Windows for `batch`, of like length, with about `size` examples each; see `Windows`."""
        return self.windows.batches(size, rng)

    def batch(self, rows: np.ndarray, with_answers: bool) -> PromptBatch:
        """Prompts of the windows `rows`; with answers the true targets stand after them."""
        example, row = self.windows.examples_of(rows)
        place = self.windows.place[example]
        items = self.windows.items(rows, targets=True)
        tokens = prompt_tokens(items, self.table)
        tokens = tokens[:, :-1] if with_answers else tokens[:, : 1 + LEVELS * int(place.max())]
        answer = self.table[items[row, place]]
        length = 1 + LEVELS * place
        return PromptBatch(example, tokens, *map(torch.from_numpy, (row, length, answer)))


class TextPrompts:
    """Prompts of a model with words, in the phrasing that it was trained on, one row an example.

    Args:
        examples: whose histories are read.
        ids: int (items, levels).
        tokenizer: of the model, with the codewords.
        phrasing: the prompt's words around the history.
    """

    def __init__(
        self,
        examples: Examples,
        ids: np.ndarray,
        tokenizer: PreTrainedTokenizerBase,
        phrasing: Phrasing,
    ) -> None:
        self.examples, self.tokenizer, self.phrasing = examples, tokenizer, phrasing
        self.index = written(ids)
        self.first = first_codeword(tokenizer)
        self.table = token_table(ids) + self.first

    def batches(self, size: int) -> list[np.ndarray]:
        """Examples for `batch`, of like length, `size` at a time, the longest first."""
        order = np.argsort(self.examples.length, kind="stable")
        return [order[low : low + size] for low in range(0, len(order), size)][::-1]

    def batch(self, rows: np.ndarray, with_answers: bool) -> PromptBatch:
        """Prompts of the examples `rows`; with answers the true targets stand after them."""
        texts = []
        for items in self.examples.histories(rows).tolist():
            history = history_text([self.index[item] for item in items if item >= 0])
            texts.append(self.phrasing.prompt.format(history=history))
        prompts: list[list[int]] = self.tokenizer(texts)["input_ids"]
        answer = self.table[self.examples.target[rows]]
        length = np.array([len(prompt) for prompt in prompts])
        tokens = np.zeros((len(rows), length.max() + (LEVELS - 1) * with_answers), np.int64)
        for number, prompt in enumerate(prompts):
            tokens[number, : len(prompt)] = prompt
            if with_answers:
                tokens[number, len(prompt) : len(prompt) + LEVELS - 1] = answer[number, :-1]
        row = np.arange(len(rows))
        return PromptBatch(rows, *map(torch.from_numpy, (tokens, row, length, answer)))


Prompts = CodewordPrompts | TextPrompts


def save_words(folder: str | Path, tokenizer: PreTrainedTokenizerBase, phrasing: Phrasing) -> None:
    """Put beside a model with words what its prompts are made of."""
    tokenizer.chat_template = None  # no prompt is a chat, and it would be a file more
    tokenizer.save_pretrained(folder)
    artefacts.write_json(Path(folder) / "prompt.json", vars(phrasing))


def load_words(folder: str | Path) -> Words | None:
    """Tokenizer and `Phrasing` of the teacher saved in `folder`; None: it reads codewords alone.

    Raises:
        FileNotFoundError: a teacher with words has lost the file with its prompt.
    """
    folder = Path(folder)
    if not (folder / "prompt.json").is_file():
        if artefacts.read_json(folder / "config.json")["vocab_size"] != START + 1:
            raise FileNotFoundError(
                f"{folder} holds a teacher with words, but no prompt.json. Copy the whole folder, "
                "or delete it to train again."
            )
        return None
    phrasing = Phrasing(**artefacts.read_json(folder / "prompt.json"))
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False), phrasing


def prompts_for(words: Words | None, examples: Examples, ids: np.ndarray) -> Prompts:
    """Prompts of examples, for a teacher of these words or, with None, over codewords alone."""
    if words is None:
        return CodewordPrompts(examples, ids)
    return TextPrompts(examples, ids, *words)
