"""Beam search for the teacher, with beams as positions of one row (Eq. 15, Algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from lohrec.identifiers.prefix_tree import PrefixTree, normalised_over_children
from lohrec.teacher.model import CODES, LEVELS, logits_of
from lohrec.teacher.prompts import Asked

SETTINGS = {
    "beams": {
        "type": "integer", "minimum": 1, "default": 25,
        "description": "Beams of the teacher for a train example.",
    },
    "batch_size": {
        "type": "integer", "minimum": 1, "default": 64,
        "description": "Examples at once, also where the teacher recommends.",
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
class Prompt:
    """What the model remembers of read prompts.

    Attributes:
        state: (rows, length, hidden), last hidden states.
        memory: per layer, keys and values (rows, heads, length, head dimensions).
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
        """int64 (examples, beams, levels); -1 for another level's codeword, -2 for a word."""
        place = self.token - self.first
        code = place - torch.arange(LEVELS, device=self.token.device) * CODES
        foreign = torch.where((place >= 0) & (place < LEVELS * CODES), -1, -2)
        return code.where((code >= 0) & (code < CODES), foreign)


@torch.inference_mode()
def read(model: PreTrainedModel, tokens: Tensor) -> Prompt:
    """Read prompts, int64 (rows, length), padded on the right."""
    out = model.base_model(input_ids=tokens, use_cache=True)
    layers = out.past_key_values.layers
    return Prompt(out.last_hidden_state, [(layer.keys, layer.values) for layer in layers])


@torch.inference_mode()
def beam_search(
    model: PreTrainedModel,
    prompt: Prompt,
    row: Tensor,
    length: Tensor,
    beams: int,
    tree: PrefixTree | None = None,
    excluded: Tensor | None = None,
    first: int = 0,
    renormalise: bool = False,
) -> Beams:
    """The most probable continuations of prompts by one identifier.

    All beams of an example are positions of one row. They attend to the prompt, which was read
    once, and to their own ancestors among all earlier positions, so the cache only grows: nothing
    in it is copied or reordered when beams are chosen. Probabilities are softmaxes over the whole
    vocabulary, and a prefix tree only forbids.

    Args:
        model: the teacher, in evaluation mode.
        prompt: what `read` returned.
        row: int64 (examples,), the row of `prompt` each example continues.
        length: int64 (examples,), after how many tokens of it.
        beams: beam width; where fewer prefixes are legal, all of them are kept.
        tree: all identifiers; None decodes over the whole vocabulary.
        excluded: int64 (examples, n), leaves of the tree that are left out, -1 for none.
        first: the token of the first codeword.
        renormalise: whether, with a tree, probabilities are normalised over the legal children.
    """
    examples, device = len(row), row.device
    longest = int(length.max())
    cache = DynamicCache([(k[row, :, :longest], v[row, :, :longest]) for k, v in prompt.memory])
    in_prompt = torch.arange(longest, device=device) < length[:, None]  # (examples, longest)
    state = prompt.state[row, length - 1].unsqueeze(1)
    token = torch.empty(examples, 1, 0, dtype=torch.long, device=device)
    score = torch.zeros(examples, 1, device=device)
    node = torch.zeros(examples, 1, dtype=torch.long, device=device)
    lineage = torch.empty(examples, 1, 0, dtype=torch.bool, device=device)
    for level in range(LEVELS):
        log_p = logits_of(model, state).log_softmax(-1)  # (examples, beams, vocabulary)
        width = beams
        if tree is not None:
            log_p = log_p[..., first + level * CODES :][..., :CODES]
            child = tree.children(level, node)
            log_p = log_p.masked_fill(child < 0, -torch.inf)
            if excluded is not None and level == LEVELS - 1:
                width += excluded.shape[1]
        total = score.unsqueeze(-1) + log_p
        if tree is not None and renormalise:
            total = normalised_over_children(total, score)
        total = total.flatten(1)
        score, best = total.topk(min(width, total.shape[1]))
        parent, chosen = best // log_p.shape[-1], best % log_p.shape[-1]
        if tree is not None:
            node = child.flatten(1).gather(1, best).masked_fill(score == -torch.inf, -1)
            chosen = chosen + first + level * CODES
        token = torch.cat([_along(token, parent), chosen.unsqueeze(-1)], -1)
        if level == LEVELS - 1:
            break
        now = chosen.shape[1]
        self_only = torch.eye(now, dtype=torch.bool, device=device).expand(examples, -1, -1)
        lineage = torch.cat([_along(lineage, parent), self_only], -1)
        mask = torch.cat([in_prompt.unsqueeze(1).expand(-1, now, -1), lineage], -1)
        state = model.base_model(
            input_ids=chosen,
            position_ids=(length + level)[:, None].expand(-1, now),
            attention_mask=mask.unsqueeze(1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
    if tree is None:
        return Beams(token, score, None, first)
    if excluded is not None:
        dropped = (node.unsqueeze(-1) == excluded.unsqueeze(1)).any(-1)
        score, order = score.masked_fill(dropped, -torch.inf).topk(min(beams, score.shape[1]))
        node = node.gather(1, order).masked_fill(score == -torch.inf, -1)
        token = _along(token, order)
    token = token.masked_fill((node < 0).unsqueeze(-1), -1)
    return Beams(token, score, node, first)


def _along(value: Tensor, parent: Tensor) -> Tensor:
    """value[example, parent[example]] for (examples, beams, n)."""
    return value.gather(1, parent.unsqueeze(-1).expand(-1, -1, value.shape[-1]))


def answers(
    model: PreTrainedModel,
    asked: Asked,
    beams: int,
    first: int,
    tree: PrefixTree | None = None,
    excluded: Tensor | None = None,
    renormalise: bool = False,
) -> Beams:
    """The beams of all examples of `asked`; a row is read once for all examples in it."""
    prompt = read(model, asked.tokens)
    return beam_search(
        model, prompt, asked.row, asked.length, beams, tree, excluded, first, renormalise
    )


def items_only(
    found: Beams, tree: PrefixTree, excluded: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Unconstrained beams without those that are no item's identifier.

    Args:
        found: beams over the whole vocabulary.
        tree: all identifiers.
        excluded: int64 (examples, n), leaves that are left out too, -1 for none.

    Returns:
        leaf (examples, beams) int64 and log-probabilities, in order; -1 and -inf at the end.
    """
    code = found.codewords
    node = torch.zeros(code.shape[:2], dtype=torch.long, device=code.device)
    for level in range(LEVELS):
        child = tree.children(level, node).gather(-1, code[..., level : level + 1].clamp(min=0))
        node = child.squeeze(-1).masked_fill(code[..., level] < 0, -1)
    if excluded is not None:
        node = node.masked_fill((node.unsqueeze(-1) == excluded.unsqueeze(1)).any(-1), -1)
    order = (node < 0).long().argsort(dim=1, stable=True)
    leaf = node.gather(1, order)
    return leaf, found.score.gather(1, order).masked_fill(leaf < 0, -torch.inf)
