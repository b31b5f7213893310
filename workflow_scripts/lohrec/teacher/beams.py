"""The teacher's beams: how it continues prompts by an identifier (C1 of Eq. 15, Algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from lohrec.identifiers.beam_search import beam_search, free_search, lineage
from lohrec.identifiers.codewords import CODES, LEVELS, NO_BEAM, OTHER_LEVEL, WORD, tokens
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.teacher.model import logits_of
from lohrec.teacher.prompts import PromptBatch

SETTINGS = {
    "beams": {
        "type": "integer", "minimum": 1, "default": 25,
        "description": "Beams of the teacher for a train example.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 64,
        "description": "Examples at once.",
    },
    "constrained": {
        "type": "boolean", "default": False,
        "description": "Whether its beams for train examples are items only.",
    },
    "bf16": {
        "enum": [True, False, "auto"], "default": True,
        "description": (
            "Whether to multiply in bfloat16; auto does where the device has it in hardware."
        ),
    },
}  # fmt: skip


@dataclass(frozen=True)
class ReadPrompts:
    """What the model remembers of read prompts.

    Attributes:
        state: (rows, length, hidden), last hidden states.
        memory: per layer, keys and values (rows, heads, length, head dimensions); of a large model
            they take gigabytes, so whoever goes on from them takes them away.
    """

    state: Tensor
    memory: list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Beams:
    """The beams of every example, from the most probable on.

    Attributes:
        token: int64 (examples, beams, levels); -1 where there are fewer beams.
        score: float32 (examples, beams), log-probabilities; -inf where there are fewer beams.
        leaf: int64 (examples, beams), leaves of the prefix tree, -1 where there are fewer; None
            where decoding was not constrained.
        first: the token of the first codeword.
    """

    token: Tensor
    score: Tensor
    leaf: Tensor | None
    first: int = 0

    @property
    def codewords(self) -> Tensor:
        """int64 (examples, beams, levels); below 0: `NO_BEAM`, `OTHER_LEVEL`, `WORD`."""
        place = self.token - self.first
        code = place - torch.arange(LEVELS, device=self.token.device) * CODES
        foreign = torch.where((place >= 0) & (place < LEVELS * CODES), OTHER_LEVEL, WORD)
        foreign = foreign.masked_fill(self.token < 0, NO_BEAM)
        return code.where((code >= 0) & (code < CODES), foreign)


@torch.inference_mode()
def read_prompts(model: PreTrainedModel, tokens: Tensor) -> ReadPrompts:
    """Read prompts, int64 (rows, length), padded on the right."""
    out = model.base_model(input_ids=tokens, use_cache=True)
    layers = out.past_key_values.layers
    return ReadPrompts(out.last_hidden_state, [(layer.keys, layer.values) for layer in layers])


class PromptSteps:
    """The steps of a beam search (`identifiers.beam_search.Steps`).

    All beams of an example are places of one row. They attend to the prompt, which was read once,
    and to their own ancestors among all earlier places, so the cache only grows. Probabilities are
    softmaxes over the whole vocabulary.

    Args:
        model: the teacher, in evaluation mode.
        prompts: what `read_prompts` returned.
        row: int64 (examples,), the row of `prompts` each example continues.
        length: int64 (examples,), after how many tokens of it.
        first: the token of the first codeword.
        codewords: whether beams are of the levels' codewords alone; otherwise of all tokens.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: ReadPrompts,
        row: Tensor,
        length: Tensor,
        first: int,
        codewords: bool,
    ) -> None:
        self.model, self.prompts, self.row, self.length = model, prompts, row, length
        self.first_token, self.codewords = first, codewords

    def first(self) -> Tensor:
        """From the last token of each prompt."""
        row, device = self.row, self.row.device
        longest = int(self.length.max())
        self.cache, memory = DynamicCache(), self.prompts.memory
        if not memory:
            raise ValueError("These prompts have been continued before; read them again.")
        for layer in range(len(memory)):
            keys, values = memory.pop(0)
            self.cache.update(keys[row, :, :longest], values[row, :, :longest], layer)
        self.in_prompt = torch.arange(longest, device=device) < self.length[:, None]
        self.lineage = torch.empty(len(row), 1, 0, dtype=torch.bool, device=device)
        return self._log_p(self.prompts.state[row, self.length - 1].unsqueeze(1), 0)

    def next(self, level: int, parent: Tensor, code: Tensor) -> Tensor:
        """Read the tokens just chosen."""
        beams = parent.shape[1]
        self.lineage = lineage(self.lineage, parent)
        in_prompt = self.in_prompt.unsqueeze(1).expand(-1, beams, -1)
        state = self.model.base_model(
            input_ids=code + self._low(level - 1),
            position_ids=(self.length + level - 1)[:, None].expand(-1, beams),
            attention_mask=torch.cat([in_prompt, self.lineage], -1).unsqueeze(1),
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return self._log_p(state, level)

    def _log_p(self, state: Tensor, level: int) -> Tensor:
        log_p = logits_of(self.model, state).log_softmax(-1)  # (examples, beams, vocabulary)
        low = self._low(level)
        return log_p[..., low : low + CODES] if self.codewords else log_p

    def _low(self, level: int) -> int:
        """The token of code 0."""
        return self.first_token + level * CODES if self.codewords else 0


def continue_prompts(
    model: PreTrainedModel,
    prompts: ReadPrompts,
    row: Tensor,
    length: Tensor,
    beams: int,
    tree: PrefixTree | None = None,
    excluded: Tensor | None = None,
    first: int = 0,
    renormalise: bool = False,
) -> Beams:
    """The most probable continuations of prompts by one identifier.

    Args:
        model, prompts, row, length, first: see `PromptSteps`.
        beams, excluded, renormalise: see `identifiers.beam_search`.
        tree: all identifiers; it forbids what is none. None decodes over the whole vocabulary.
    """
    steps = PromptSteps(model, prompts, row, length, first, codewords=tree is not None)
    if tree is None:
        free = free_search(steps, beams)
        return Beams(free.code, free.score, None, first)
    best = beam_search(steps, tree, beams, excluded, renormalise)
    code = tree.identifiers(best.leaf)
    return Beams((tokens(code) + first).where(code >= 0, -1), best.score, best.leaf, first)


def generate_beams(
    model: PreTrainedModel,
    batch: PromptBatch,
    beams: int,
    first: int,
    tree: PrefixTree | None = None,
    excluded: Tensor | None = None,
    renormalise: bool = False,
) -> Beams:
    """The beams of all examples of a batch; a row is read once for all examples in it."""
    prompts = read_prompts(model, batch.tokens)
    return continue_prompts(
        model, prompts, batch.row, batch.length, beams, tree, excluded, first, renormalise
    )


def items_only(
    beams: Beams, tree: PrefixTree, excluded: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Unconstrained beams without those that are no item's identifier.

    Args:
        beams: over the whole vocabulary.
        tree: all identifiers.
        excluded: int64 (examples, n), leaves that are left out too, -1 for none.

    Returns:
        leaf (examples, beams) int64 and log-probabilities, in order; -1 and -inf at the end.
    """
    node = tree.leaf(beams.codewords)
    if excluded is not None:
        node = node.masked_fill((node.unsqueeze(-1) == excluded.unsqueeze(1)).any(-1), -1)
    order = (node < 0).long().argsort(dim=1, stable=True)
    leaf = node.gather(1, order)
    return leaf, beams.score.gather(1, order).masked_fill(leaf < 0, -torch.inf)
