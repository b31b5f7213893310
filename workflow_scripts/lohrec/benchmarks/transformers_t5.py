"""The same recommender as its user would train and decode it with transformers."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from lohrec.identifiers.codewords import CODES, LEVELS, PAD, tokens
from lohrec.recommender.networks import transformers_settings
from lohrec.recommender.networks.t5_tokens import CODEWORDS, END
from lohrec.recommender.training_data import Batch

PADDED = 80  # tokens of the longest history, to which it pads


def transformers_model(c: dict[str, Any]) -> T5ForConditionalGeneration:
    """The same architecture, by the settings that our config.json gives it."""
    return T5ForConditionalGeneration(T5Config(**transformers_settings.of(c)))


def padded_loss(model: T5ForConditionalGeneration, batch: Batch) -> torch.Tensor:
    """Its loss on the same examples."""
    history = batch.history
    history = torch.nn.functional.pad(history, (0, PADDED - history.shape[1]), value=PAD)
    labels = tokens(batch.candidates[:, 0])
    out = model(input_ids=history, attention_mask=(history != PAD).long(), labels=labels)
    loss: Tensor = out.loss
    return loss


class NormalisedT5(T5ForConditionalGeneration):  # type: ignore[misc] # transformers' types are skipped
    """T5ForConditionalGeneration with the normalisation that the model was trained with.

    Attributes:
        cross_bias: float (1, heads, 1, tokens), added where the decoder attends to the history.
    """

    cross_bias: Tensor | None = None
    _keys_to_ignore_on_load_unexpected = ("recency",)  # `Generate` adds it

    # `generate` reads the signature to see which arguments the model takes.
    @functools.wraps(T5ForConditionalGeneration.forward)
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As in transformers; codewords outside of the normalisation cannot be chosen."""
        if self.cross_bias is not None:
            # No argument adds it; a mask of floats is added as it is.
            rows = len(kwargs["encoder_outputs"][0])
            kwargs["attention_mask"] = self.cross_bias.expand(rows, -1, -1, -1)
        out = super().forward(*args, **kwargs)
        low, high = 0, CODEWORDS
        if self.config.codewords != "all":
            level = kwargs["past_key_values"].get_seq_length() - 1
            low, high = level * CODES, (level + 1) * CODES
        out.logits[..., :low] = -torch.inf
        out.logits[..., high:] = -torch.inf
        return out


class Generate:
    """Constrained `generate` for one model.

    Args:
        folder: where the model was saved.
        ids: int (items, levels); the legal codewords after every prefix are kept in a dictionary.
    """

    def __init__(self, folder: str | Path, ids: np.ndarray) -> None:
        self.model = NormalisedT5.from_pretrained(folder).eval()
        weights = Path(folder) / "model.safetensors"
        self.recency = load_file(weights)["recency.weight"] if self.model.config.recency else None
        legal: dict[tuple[int, ...], set[int]] = {}
        for row in tokens(torch.from_numpy(ids)).tolist():
            for depth in range(LEVELS):
                legal.setdefault(tuple(row[:depth]), set()).add(row[depth])
        self.legal = {prefix: sorted(codewords) for prefix, codewords in legal.items()}

    @torch.inference_mode()
    def __call__(self, history: Tensor, beams: int) -> Tensor:
        """The best identifiers of histories of equal length, int64 tokens (users, beams, levels).

        Args:
            history: int64 tokens (users, length).
            beams: beam width, at most the number of identifiers.
        """
        arguments = {"input_ids": history, "attention_mask": (history != PAD).long()}
        if self.model.config.causal_encoder:
            # Without a switch for it, the causal mask is added to the encoder's scores.
            closed = torch.nn.functional.pad(history, (0, 1), value=END)
            length = closed.shape[1]
            mask = torch.full((len(closed), 1, length, length), -torch.inf).triu(1)
            state = self.model.encoder(input_ids=closed, attention_mask=mask).last_hidden_state
            arguments = {
                "encoder_outputs": BaseModelOutput(last_hidden_state=state),
                "attention_mask": torch.ones_like(closed),
            }
        if self.recency is not None:
            if "encoder_outputs" not in arguments:
                state = self.model.encoder(**arguments).last_hidden_state
                arguments["encoder_outputs"] = BaseModelOutput(last_hidden_state=state)
            items = history.shape[1] // LEVELS
            item = torch.arange(state.shape[1]).div(LEVELS, rounding_mode="floor")
            after = (items - 1 - item).clamp(0, len(self.recency) - 1)
            self.model.cross_bias = self.recency[after].T[None, :, None]
        out: Tensor = self.model.generate(
            **arguments,
            num_beams=beams,
            num_return_sequences=beams,
            max_new_tokens=LEVELS,
            length_penalty=0.0,
            renormalize_logits=self.model.config.codewords == "legal",
            prefix_allowed_tokens_fn=lambda _, prefix: self.legal[tuple(prefix[1:].tolist())],
        )
        return out[:, 1:].view(len(history), beams, LEVELS)
