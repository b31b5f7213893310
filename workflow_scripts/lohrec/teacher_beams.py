"""Beam search for the teacher, with beams as positions of one row (Eq. 15, Algorithm 1)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, LlamaForCausalLM

from lohrec.prefix_tree import PrefixTree
from lohrec.teacher import CODES, LEVELS, Windows, prompts


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
    """

    token: Tensor
    score: Tensor
    leaf: Tensor | None

    @property
    def codewords(self) -> Tensor:
        """int64 (examples, beams, levels); -1 where a token is no codeword of its level."""
        code = self.token - torch.arange(LEVELS, device=self.token.device) * CODES
        return code.where((code >= 0) & (code < CODES), -1)


@torch.inference_mode()
def read(model: LlamaForCausalLM, tokens: Tensor) -> Prompt:
    """Read prompts, int64 (rows, length), padded on the right."""
    out = model.model(input_ids=tokens, use_cache=True)
    layers = out.past_key_values.layers
    return Prompt(out.last_hidden_state, [(layer.keys, layer.values) for layer in layers])


@torch.inference_mode()
def beam_search(
    model: LlamaForCausalLM,
    prompt: Prompt,
    row: Tensor,
    length: Tensor,
    beams: int,
    tree: PrefixTree | None = None,
    excluded: Tensor | None = None,
) -> Beams:
    """The most probable continuations of prompts by one identifier.

    All beams of an example are positions of one row. They attend to the prompt, which was read
    once, and to their own ancestors among all earlier positions, so the cache only grows: nothing
    in it is copied or reordered when beams are chosen. Probabilities are softmaxes over the whole
    vocabulary, and a prefix tree only forbids: nothing is normalised again over its children.

    Args:
        model: the teacher, in evaluation mode.
        prompt: what `read` returned.
        row: int64 (examples,), the row of `prompt` each example continues.
        length: int64 (examples,), after how many tokens of it.
        beams: beam width; where fewer prefixes are legal, all of them are kept.
        tree: all identifiers; None decodes over the whole vocabulary.
        excluded: int64 (examples, n), leaves of the tree that are left out, -1 for none.
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
        log_p = model.lm_head(state).float().log_softmax(-1)  # (examples, beams, vocabulary)
        width = beams
        if tree is not None:
            log_p = log_p[..., level * CODES : (level + 1) * CODES]
            child = tree.children(level, node)
            log_p = log_p.masked_fill(child < 0, -torch.inf)
            if excluded is not None and level == LEVELS - 1:
                width += excluded.shape[1]
        total = (score.unsqueeze(-1) + log_p).flatten(1)
        score, best = total.topk(min(width, total.shape[1]))
        parent, chosen = best // log_p.shape[-1], best % log_p.shape[-1]
        if tree is not None:
            node = child.flatten(1).gather(1, best).masked_fill(score == -torch.inf, -1)
            chosen = chosen + level * CODES
        token = torch.cat([_along(token, parent), chosen.unsqueeze(-1)], -1)
        if level == LEVELS - 1:
            break
        now = chosen.shape[1]
        self_only = torch.eye(now, dtype=torch.bool, device=device).expand(examples, -1, -1)
        lineage = torch.cat([_along(lineage, parent), self_only], -1)
        mask = torch.cat([in_prompt.unsqueeze(1).expand(-1, now, -1), lineage], -1)
        state = model.model(
            input_ids=chosen,
            position_ids=(length + level)[:, None].expand(-1, now),
            attention_mask=mask.unsqueeze(1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
    if tree is None:
        return Beams(token, score, None)
    if excluded is not None:
        dropped = (node.unsqueeze(-1) == excluded.unsqueeze(1)).any(-1)
        score, order = score.masked_fill(dropped, -torch.inf).topk(min(beams, score.shape[1]))
        node = node.gather(1, order).masked_fill(score == -torch.inf, -1)
        token = _along(token, order)
    token = token.masked_fill((node < 0).unsqueeze(-1), -1)
    return Beams(token, score, node)


def _along(value: Tensor, parent: Tensor) -> Tensor:
    """value[example, parent[example]] for (examples, beams, n)."""
    return value.gather(1, parent.unsqueeze(-1).expand(-1, -1, value.shape[-1]))


def candidates(
    model: LlamaForCausalLM,
    windows: Windows,
    rows: np.ndarray,
    table: np.ndarray,
    beams: int,
    tree: PrefixTree | None = None,
) -> Beams:
    """The beams of all examples of the windows `rows`, in the order of `windows.examples_of`.

    A window is read once for all its examples: their prompts are its prefixes.
    """
    example, row = windows.examples_of(rows)
    tokens = prompts(windows.items(rows, targets=False), table).to(model.device)
    length = torch.from_numpy(1 + LEVELS * windows.place[example]).to(model.device)
    row = torch.from_numpy(row).to(model.device)
    return beam_search(model, read(model, tokens), row, length, beams, tree)


def next_items(
    model: LlamaForCausalLM,
    tokens: Tensor,
    length: Tensor,
    beams: int,
    tree: PrefixTree,
    excluded: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The most probable identifiers after each prompt.

    Args:
        tokens: int64 (users, longest), prompts padded on the right.
        length: int64 (users,), tokens of each.
        excluded: int64 (users, n), leaves left out, -1 for none.

    Returns:
        leaf (users, beams) int64, -1 where there are fewer, and log-probabilities, float32.
    """
    row = torch.arange(len(tokens), device=tokens.device)
    found = beam_search(model, read(model, tokens), row, length, beams, tree, excluded)
    return found.leaf, found.score
