"""What a teacher with words learns, step by step: samples of text tasks, packed (LC-Rec, 4.2)."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import LEVELS
from lohrec.teacher import adaptation, memory_plan, sequence_packing, text_tasks
from lohrec.teacher.model import add_dropout
from lohrec.teacher.prompts import TextPrompts, save_words
from lohrec.teacher.sequence_packing import Packed, Sample
from lohrec.teacher.text_tasks import Phrasing
from lohrec.teacher.texts import Texts
from lohrec.teacher.training import Part

# Room of a dev example's prompt in what is computed at once, 20 items and a template among others.
DEV_TOKENS = 128
# Seeds of a step, and its samples by task and number.
Drawn = tuple[list[int], list[tuple[str, int]]]


class TextLearner:
    """Samples of several tasks, packed into rows; the loss runs over the responses.

    Args:
        settings: the groups `network`, with the teacher's kind, `training`, `adaptation` and
            `tasks`, by these names.
    """

    def __init__(
        self,
        examples: Examples,
        ids: np.ndarray,
        settings: dict[str, dict[str, Any]],
        texts: Texts,
        templates: dict[str, list[Phrasing]],
    ) -> None:
        network, self.training = settings["network"], settings["training"]
        self.adaptation = settings["adaptation"]
        self.mixture, self.limit = settings["tasks"]["mixture"], settings["tasks"]["limit"]
        self.adapted = adaptation.adapt(network | self.training, self.adaptation, texts, templates)
        self.network = self.adapted.network
        self.planned = memory_plan.of_packed(self.training, self.adaptation)
        self.dev_batch = max(1, self.planned.tokens // DEV_TOKENS)
        self.remedy = memory_plan.SMALLER[network["kind"]]
        fresh = network["kind"] == "scratch_text"
        self.hooks = add_dropout(self.network, network["dropout"]) if fresh else []
        self.tokenizer, self.ids, self.templates = self.adapted.tokenizer, ids, templates
        self.tasks = text_tasks.TextTasks(
            examples, ids, texts, templates, settings["tasks"]["characters"]
        )
        self._check_room(examples)
        first = self._draw(0)
        if not first:
            raise ValueError(
                f"tasks.mixture ({self.mixture}) asks for no sample of this set: the teacher "
                "has nothing to learn. Give `sequential` a share above 0."
            )
        counts = {task: sum(name == task for name, _ in first) for task in sorted(self.mixture)}
        self.description = "samples an epoch: " + ", ".join(f"{k} {v:,}" for k, v in counts.items())

    def _check_room(self, examples: Examples) -> None:
        """Refuse rows in which the longest history does not fit: lists would read all of it."""
        longest = int(np.argmax(examples.length))
        prompt = self.prompts(examples).batch(np.array([longest]), with_answers=False)
        needed, most = int(prompt.length[0]) + LEVELS + 1, self.adaptation["row_tokens"]
        if needed > most:
            raise ValueError(
                f"adaptation.row_tokens ({most}) is too short for the longest history, of "
                f"{examples.length[longest]} items: prompt and answer take {needed} tokens. Raise "
                "it, or lower ingest.history."
            )

    def _draw(self, number: int) -> list[tuple[str, int]]:
        rng = np.random.default_rng([self.training["seed"], number])
        return text_tasks.draw(self.tasks, self.mixture, self.limit, rng)

    def epoch(self, number: int) -> Sequence[Drawn]:
        """The steps of an epoch: seeds and samples, in random order."""
        drawn, size = self._draw(number), self.training["batch_size"]
        return [
            ([self.training["seed"], number, low], drawn[low : low + size])
            for low in range(0, len(drawn), size)
        ]

    def parts(self, step: Drawn) -> list[Part]:
        """The step's samples in rows, as many rows at once as `batch_tokens` holds."""
        seed, drawn = step
        rng = np.random.default_rng(seed)
        pairs = [self.tasks.sample(task, index, rng) for task, index in drawn]
        samples = self.samples(pairs)
        length = np.array([len(sample.tokens) for sample in samples])
        row = self.adaptation["row_tokens"]
        rows = sequence_packing.fill_rows(length, row)
        # As many parts as memory asks for, and as many for each of the processes.
        parts = -(-len(rows) // max(1, self.adaptation["batch_tokens"] // row))
        parts = min(-(-parts // processes.world()) * processes.world(), len(rows))
        bounds = np.linspace(0, len(rows), parts + 1).round().astype(int).tolist()
        packs = [sequence_packing.pack(samples, rows[low:high]) for low, high in pairwise(bounds)]
        answers = [int(packed.answer.sum()) for packed in packs]
        return [
            Part(count / sum(answers), packed.tokens.numel(), packed)
            for count, packed in zip(answers, packs, strict=True)
        ]

    def samples(self, pairs: list[tuple[str, str]]) -> list[Sample]:
        """Tokens of prompts and responses; what is too long loses its oldest or last words.

        A prompt keeps at least half of the room, and its first token, which marks a beginning.
        """
        most = self.adaptation["row_tokens"]
        end = self.tokenizer.eos_token_id
        prompts, responses = zip(*pairs, strict=True)
        prompts = self.tokenizer(list(prompts))["input_ids"]
        responses = self.tokenizer(list(responses), add_special_tokens=False)["input_ids"]
        samples = []
        for prompt, response in zip(prompts, responses, strict=True):
            response = ([*response, end] if end is not None else response)[: most // 2]
            over = max(0, len(prompt) + len(response) - most)
            prompt = prompt[:1] + prompt[1 + over :]
            samples.append(Sample(np.array([*prompt, *response], np.int64), len(prompt)))
        return samples

    def loss(self, packed: Packed) -> Tensor:
        """Mean cross-entropy of the responses' tokens."""
        return sequence_packing.loss(self.network, packed)

    @cached_property
    def _phrasing(self) -> Phrasing:
        return self.templates["sequential"][0]

    def prompts(self, examples: Examples) -> TextPrompts:
        """Prompts of other examples, in the phrasing that recommends."""
        return TextPrompts(examples, self.ids, self.tokenizer, self._phrasing)

    def finish(self) -> PreTrainedModel:
        """The trained model, LoRA merged into its weights."""
        for hook in self.hooks:
            hook.remove()
        return self.adapted.merge()

    def save_words(self, folder: Path) -> None:
        """Write tokenizer and phrasing."""
        save_words(folder, self.tokenizer, self._phrasing)
