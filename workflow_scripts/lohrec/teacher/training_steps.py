"""What one training step of a teacher is made of: windows of codewords, or packed text tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

from lohrec.common import processes
from lohrec.common.autograd_functions import drop
from lohrec.data.examples import Examples
from lohrec.teacher import adaptation, memory_plan, sequence_packing, text_tasks
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts as questions
from lohrec.teacher.prompts import CodewordQuestions, TextQuestions
from lohrec.teacher.sequence_packing import Packed, Sample
from lohrec.teacher.text_tasks import Phrasing, Texts


@dataclass(frozen=True)
class Part:
    """What is computed at once.

    Attributes:
        share: of the step's loss; the shares of a step's parts add up to 1.
        tokens: that are read.
        content: for the lessons' `loss`.
    """

    share: float
    tokens: int
    content: object


class CodewordLessons:
    """A user's training sequence is one row, and every position after the first item a target.

    Args:
        settings: the groups `network` and `training`, by these names.
    """

    batch = 256  # dev examples at once
    remedy = (
        "Lower teacher.batch_size, set teacher.bf16 to true, or lower teacher.hidden, layers or "
        "intermediate"
    )

    def __init__(
        self, examples: Examples, ids: np.ndarray, settings: dict[str, dict[str, Any]]
    ) -> None:
        network, self.training = settings["network"], settings["training"]
        self.network = teacher.build(network | self.training)
        self.hooks = add_dropout(self.network, network["dropout"])
        self.ids = ids
        self.questions = CodewordQuestions(examples.aligned(), ids)
        windows = self.questions.windows
        size, longest = self.training["batch_size"], 1 + teacher.LEVELS * int(windows.length.max())
        bf16 = self.training["bf16"] is True
        answers = size * teacher.LEVELS
        self.planned = memory_plan.Step(2 * answers, longest, answers, False, bf16)
        self.what = f"{len(examples):,} targets in {len(windows):,} windows"

    def epoch(self, number: int) -> Sequence[np.ndarray]:
        """The steps of an epoch."""
        rng = np.random.default_rng([self.training["seed"], number])
        return self.questions.batches(self.training["batch_size"], rng)

    def parts(self, step: np.ndarray) -> list[Part]:
        """One step at once, or a part for each of the processes that train together."""
        windows, parts = self.questions.windows, []
        for rows in np.array_split(step, min(processes.world(), len(step))):
            targets = len(windows.examples_of(rows)[0])
            tokens = len(rows) * (1 + teacher.LEVELS * int(windows.length[rows].max()))
            parts.append((targets, tokens, rows))
        total = sum(targets for targets, _, _ in parts)
        return [Part(targets / total, tokens, rows) for targets, tokens, rows in parts]

    def loss(self, rows: np.ndarray) -> Tensor:
        """Mean cross-entropy of the codewords of every target in the windows `rows` (Eq. 8)."""
        return answer_loss(self.network, self.questions.ask(rows, True).to(self.network.device))

    def ask(self, examples: Examples) -> CodewordQuestions:
        """Questions on other examples."""
        return CodewordQuestions(examples, self.ids)

    def finish(self) -> PreTrainedModel:
        """The trained model, without what only training needs."""
        for hook in self.hooks:
            hook.remove()
        return self.network

    def beside(self, folder: Path) -> None:
        """Nothing belongs beside a model without words."""


class TextLessons:
    """Samples of several tasks, packed into rows; the loss runs over the responses.

    Args:
        settings: the groups `network`, with the teacher's kind, `training`, `adaptation` and
            `tasks`, by these names.
    """

    batch = 64

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
        self.remedy = memory_plan.SMALLER[network["kind"]]
        fresh = network["kind"] == "scratch_text"
        self.hooks = add_dropout(self.network, network["dropout"]) if fresh else []
        self.tokenizer, self.ids, self.templates = self.adapted.tokenizer, ids, templates
        self.tasks = text_tasks.Tasks(
            examples, ids, texts, templates, settings["tasks"]["characters"]
        )
        first = self._draw(0)
        if not first:
            raise ValueError(
                f"tasks.mixture ({self.mixture}) asks for no sample of this set: the teacher "
                "has nothing to learn. Give `sequential` a share above 0."
            )
        counts = {task: sum(name == task for name, _ in first) for task in sorted(self.mixture)}
        self.what = "samples an epoch: " + ", ".join(f"{k} {v:,}" for k, v in counts.items())

    def _draw(self, number: int) -> list[tuple[str, int]]:
        rng = np.random.default_rng([self.training["seed"], number])
        return text_tasks.draw(self.tasks, self.mixture, self.limit, rng)

    def epoch(self, number: int) -> Sequence[list]:
        """The steps of an epoch: seeds and samples, in random order."""
        drawn, size = self._draw(number), self.training["batch_size"]
        return [
            ([self.training["seed"], number, low], drawn[low : low + size])
            for low in range(0, len(drawn), size)
        ]

    def parts(self, step: tuple) -> list[Part]:
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
        read = self.tokenizer(list(prompts))["input_ids"]
        said = self.tokenizer(list(responses), add_special_tokens=False)["input_ids"]
        found = []
        for prompt, response in zip(read, said, strict=True):
            response = ([*response, end] if end is not None else response)[: most // 2]
            over = max(0, len(prompt) + len(response) - most)
            prompt = prompt[:1] + prompt[1 + over :]
            found.append(Sample(np.array([*prompt, *response], np.int64), len(prompt)))
        return found

    def loss(self, packed: Packed) -> Tensor:
        """Mean cross-entropy of the responses' tokens."""
        return sequence_packing.loss(self.network, packed)

    @cached_property
    def _phrasing(self) -> Phrasing:
        return self.templates["sequential"][0]

    def ask(self, examples: Examples) -> TextQuestions:
        """Questions on other examples, in the phrasing that recommends."""
        return TextQuestions(examples, self.ids, self.tokenizer, self._phrasing)

    def finish(self) -> PreTrainedModel:
        """The trained model, LoRA merged into its weights."""
        for hook in self.hooks:
            hook.remove()
        return self.adapted.merge()

    def beside(self, folder: Path) -> None:
        """Write tokenizer and prompt."""
        questions.save(folder, self.tokenizer, self._phrasing)


def answer_loss(model: PreTrainedModel, asked: questions.Asked) -> Tensor:
    """Mean cross-entropy of the true targets' codewords (Eq. 8).

    The softmax runs over the whole vocabulary. Over the level's codewords it would cost a little
    less, but unconstrained decoding would then choose among tokens that were never compared.
    """
    logits = teacher.answer_logits(model, asked)
    return F.cross_entropy(logits.flatten(0, 1), asked.answer.flatten())


def add_dropout(model: PreTrainedModel, share: float) -> list:
    """Drop embeddings and what each block adds to the residual stream, in training mode.

    transformers' LLaMA drops attention weights only; that held small teachers back where this
    helps. Returns the hooks, to be removed after training.
    """

    def hook(module, _: tuple, output: Tensor) -> Tensor:
        return drop(output, share, module.training)

    modules = [model.get_input_embeddings()]
    for layer in model.base_model.layers:
        modules += [layer.self_attn.o_proj, layer.mlp.down_proj]
    return [module.register_forward_hook(hook) for module in modules]
