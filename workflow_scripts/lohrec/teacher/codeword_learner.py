"""What a teacher over codewords alone learns, step by step (Section 4.2, Eq. 8)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import LEVELS
from lohrec.teacher import memory_plan
from lohrec.teacher.model import add_dropout, build_llama
from lohrec.teacher.probabilities import answer_loss
from lohrec.teacher.prompts import CodewordPrompts
from lohrec.teacher.training import Part


class CodewordLearner:
    """A user's training sequence is one row, and every position after the first item a target.

    Args:
        settings: the groups `network` and `training`, by these names.
    """

    dev_batch = 256
    remedy = (
        "Lower teacher.training.batch_size, set teacher.training.bf16 to true, or lower "
        "teacher.network.hidden, layers or intermediate"
    )

    def __init__(
        self, examples: Examples, ids: np.ndarray, settings: dict[str, dict[str, Any]]
    ) -> None:
        network, self.training = settings["network"], settings["training"]
        self.network = build_llama(network | self.training)
        self.hooks = add_dropout(self.network, network["dropout"])
        self.ids = ids
        self.train_prompts = CodewordPrompts(examples.aligned(), ids)
        windows = self.train_prompts.windows
        longest = 1 + LEVELS * int(windows.length.max())
        self.planned = memory_plan.of_windows(self.training, longest)
        self.description = f"{len(examples):,} targets in {len(windows):,} windows"

    def epoch(self, number: int) -> Sequence[np.ndarray]:
        """The steps of an epoch."""
        rng = np.random.default_rng([self.training["seed"], number])
        return self.train_prompts.batches(self.training["batch_size"], rng)

    def parts(self, step: np.ndarray) -> list[Part]:
        """One step at once, or a part for each of the processes that train together."""
        windows, parts = self.train_prompts.windows, []
        for rows in np.array_split(step, min(processes.world(), len(step))):
            targets = len(windows.examples_of(rows)[0])
            tokens = len(rows) * (1 + LEVELS * int(windows.length[rows].max()))
            parts.append((targets, tokens, rows))
        total = sum(targets for targets, _, _ in parts)
        return [Part(targets / total, tokens, rows) for targets, tokens, rows in parts]

    def loss(self, rows: np.ndarray) -> Tensor:
        """Mean cross-entropy of the codewords of every target in the windows `rows` (Eq. 8)."""
        batch = self.train_prompts.batch(rows, with_answers=True)
        return answer_loss(self.network, batch.to(self.network.device))

    def prompts(self, examples: Examples) -> CodewordPrompts:
        """Prompts of other examples."""
        return CodewordPrompts(examples, self.ids)

    def finish(self) -> PreTrainedModel:
        """The trained model, without what only training needs."""
        for hook in self.hooks:
            hook.remove()
        return self.network

    def save_words(self, folder: Path) -> None:
        """There are none."""
