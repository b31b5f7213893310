"""Histories as a teacher reads them, with the place where its answer, an identifier, begins."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lohrec.common import artefacts
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import LEVELS, token_table
from lohrec.teacher.model import START, Windows, prompts
from lohrec.teacher.text_tasks import Phrasing, history_text, index_texts
from lohrec.teacher.tokenizers import first_codeword


@dataclass(frozen=True)
class Asked:
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

    def to(self, device: torch.device) -> "Asked":
        """The same on another device."""
        parts = (self.tokens, self.row, self.length, self.answer)
        return Asked(self.example, *(part.to(device) for part in parts))


class CodewordQuestions:
    """For a model over codewords alone: a start token and the history's, one row a window."""

    first = 0

    def __init__(self, examples: Examples, ids: np.ndarray) -> None:
        self.windows = Windows.of(examples)
        self.table = token_table(ids)

    def batches(self, size: int, rng: np.random.Generator | None = None) -> list[np.ndarray]:
        """Parts for `ask`, of like length, with about `size` examples each."""
        return self.windows.batches(size, rng)

    def ask(self, part: np.ndarray, answered: bool) -> Asked:
        """Prompts of the windows `part`; with `answered` the true targets stand after them."""
        example, row = self.windows.examples_of(part)
        place = self.windows.place[example]
        items = self.windows.items(part, targets=True)
        tokens = prompts(items, self.table)
        tokens = tokens[:, :-1] if answered else tokens[:, : 1 + LEVELS * int(place.max())]
        answer = self.table[items[row, place]]
        length = 1 + LEVELS * place
        return Asked(example, tokens, *map(torch.from_numpy, (row, length, answer)))


class TextQuestions:
    """For a model with words: the prompt that it was trained to answer, one row an example."""

    def __init__(self, examples: Examples, ids: np.ndarray, tokenizer, phrasing: Phrasing) -> None:
        self.examples, self.tokenizer, self.phrasing = examples, tokenizer, phrasing
        self.index = index_texts(ids)
        self.first = first_codeword(tokenizer)
        self.table = token_table(ids) + self.first

    def batches(self, size: int) -> list[np.ndarray]:
        """Examples in batches of like length."""
        order = np.argsort(self.examples.length, kind="stable")
        return [order[low : low + size] for low in range(0, len(order), size)]

    def ask(self, part: np.ndarray, answered: bool) -> Asked:
        """Prompts of the examples `part`; with `answered` the true targets stand after them."""
        texts = []
        for row in self.examples.histories(part).tolist():
            history = history_text([self.index[item] for item in row if item >= 0])
            texts.append(self.phrasing.prompt.format(history=history))
        read = self.tokenizer(texts)["input_ids"]
        answer = self.table[self.examples.target[part]]
        length = np.array([len(tokens) for tokens in read])
        tokens = np.zeros((len(part), length.max() + (LEVELS - 1) * answered), np.int64)
        for number, own in enumerate(read):
            tokens[number, : len(own)] = own
            if answered:
                tokens[number, len(own) : len(own) + LEVELS - 1] = answer[number, :-1]
        row = np.arange(len(part))
        return Asked(part, *map(torch.from_numpy, (tokens, row, length, answer)))


def save(folder: str | Path, tokenizer, phrasing: Phrasing) -> None:
    """Put beside a model with words what its prompts are made of."""
    tokenizer.save_pretrained(folder)
    artefacts.write_json(Path(folder) / "prompt.json", vars(phrasing))


def words(folder: str | Path) -> tuple | None:
    """Tokenizer and `Phrasing` of the teacher saved in `folder`; None: it reads codewords alone.

    Raises:
        FileNotFoundError: a teacher with words has lost the file that says how it is asked.
    """
    folder = Path(folder)
    if not (folder / "prompt.json").is_file():
        if artefacts.read_json(folder / "config.json")["vocab_size"] != START + 1:
            raise FileNotFoundError(
                f"{folder} holds a teacher with words, but no prompt.json. Copy the whole folder, "
                "or delete it to train again."
            )
        return None
    from transformers import AutoTokenizer

    phrasing = Phrasing(**artefacts.read_json(folder / "prompt.json"))
    return AutoTokenizer.from_pretrained(folder), phrasing


def of(
    folder: str | Path, examples: Examples, ids: np.ndarray
) -> CodewordQuestions | TextQuestions:
    """The questions that the teacher saved in `folder` can answer.

    Raises:
        FileNotFoundError: see `words`.
    """
    known = words(folder)
    if known is None:
        return CodewordQuestions(examples, ids)
    return TextQuestions(examples, ids, *known)
