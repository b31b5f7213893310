"""Packing: several short samples in one row of tokens, none of which sees another (LC-Rec, 4.2)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from lohrec.common.devices import send
from lohrec.teacher.model import head


@dataclass(frozen=True)
class Sample:
    """Tokens of a prompt and of the response to it.

    Attributes:
        tokens: int64 (length,), prompt and response.
        prompt: tokens of the prompt; the loss runs over those after it.
    """

    tokens: np.ndarray
    prompt: int


@dataclass(frozen=True)
class Packed:
    """Rows of samples, padded on the right.

    Attributes:
        tokens: int64 (rows, length).
        sample: int64 (rows, length), the number of the sample in its row, -1 for padding.
        position: int64 (rows, length), counted from the beginning of each sample.
        answer: bool (rows, length), tokens that the token before has to predict.
    """

    tokens: Tensor
    sample: Tensor
    position: Tensor
    answer: Tensor


def mask(sample: Tensor) -> Tensor:
    """Who sees whom, bool (rows, 1, length, length): earlier tokens of one's own sample."""
    same = sample.unsqueeze(2) == sample.unsqueeze(1)
    return same.tril().unsqueeze(1)


def fill_rows(length: np.ndarray, capacity: int) -> list[list[int]]:
    """Samples in as few rows as first-fit finds, longest first; a longer one is alone."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in np.argsort(-length, kind="stable").tolist():
        fits = next((i for i, left in enumerate(room) if left >= length[index]), None)
        if fits is None:
            rows.append([])
            room.append(capacity)
            fits = len(rows) - 1
        rows[fits].append(index)
        room[fits] -= length[index]
    return rows


def pack(samples: list[Sample], rows: list[list[int]]) -> Packed:
    """Lay the samples of each row side by side."""
    longest = max(sum(len(samples[i].tokens) for i in row) for row in rows)
    shape = (len(rows), longest)
    tokens, position = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    sample, answer = np.full(shape, -1, np.int64), np.zeros(shape, bool)
    for number, row in enumerate(rows):
        low = 0
        for count, index in enumerate(row):
            packed = samples[index]
            high = low + len(packed.tokens)
            tokens[number, low:high] = packed.tokens
            sample[number, low:high] = count
            position[number, low:high] = np.arange(high - low)
            answer[number, low + packed.prompt : high] = True
            low = high
    return Packed(*map(torch.from_numpy, (tokens, sample, position, answer)))


def loss(model: PreTrainedModel, packed: Packed) -> Tensor:
    """Mean cross-entropy of the responses' tokens, over the whole vocabulary."""
    # Only states before an answer meet the head: its logits are the largest tensor of a step.
    # Where they are is found on the host, so that the device need not be waited for.
    place = packed.answer.flatten().nonzero().flatten()
    wanted = packed.tokens.flatten()[place]
    inputs = packed.tokens, packed.sample, packed.position, place - 1, wanted
    tokens, sample, position, before, wanted = (send(part, model.device) for part in inputs)
    state = model.base_model(
        input_ids=tokens,
        attention_mask=mask(sample),
        position_ids=position,
        use_cache=False,
    ).last_hidden_state
    return F.cross_entropy(head(model)(state.flatten(0, 1)[before]).float(), wanted)
