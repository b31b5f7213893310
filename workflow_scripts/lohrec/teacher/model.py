"""The teacher's network: a LLaMA that reads and writes identifiers (LC-Rec, Section 4.2)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from lohrec.common.artefacts import whole_folder
from lohrec.common.autograd_functions import drop
from lohrec.common.devices import exact_products
from lohrec.identifiers.codewords import CODES, LEVELS, PAD

SETTINGS = {
    "kind": {
        "enum": ["scratch", "scratch_text", "pretrained"], "default": "pretrained",
        "description": (
            "LLaMA's architecture over codewords alone with fresh weights (scratch), the same "
            "with words and text tasks (scratch_text), or a checkpoint of its own size "
            "(pretrained)."
        ),
    },
    "network": {
        "hidden": {
            "type": "integer", "minimum": 1, "default": 1024, "multiple_of": "heads",
            "times": 2,  # rotary positions turn pairs of a head's dimensions
            "description": "Width of the model, a multiple of twice the heads.",
        },
        "layers": {
            "type": "integer", "minimum": 1, "default": 12,
            "description": "Number of blocks.",
        },
        "heads": {
            "type": "integer", "minimum": 1, "default": 16,
            "description": "Attention heads.",
        },
        "intermediate": {
            "type": "integer", "minimum": 1, "default": 2816,
            "description": "Width of the feed-forward layers.",
        },
        "dropout": {
            "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.1,
            "description": (
                "Dropout of embeddings and of what a block adds to them, of a teacher from "
                "scratch."
            ),
        },
    },
}  # fmt: skip

START = PAD + 1  # over codewords alone


def build_llama(
    settings: dict[str, Any], tokenizer: PreTrainedTokenizerBase | None = None
) -> LlamaForCausalLM:
    """LLaMA's architecture with fresh weights.

    Args:
        settings: the group `teacher.network`, and a seed of the weights.
        tokenizer: of the words that it reads; None for codewords alone, where a prompt is a start
            token and the identifiers of the history.

    Raises:
        ValueError: the hidden size does not fit the heads.
    """
    if settings["hidden"] % (2 * settings["heads"]):
        raise ValueError(
            f"teacher.network.hidden ({settings['hidden']}) must be a multiple of twice "
            f"teacher.network.heads ({settings['heads']}): rotary positions turn pairs of a head's "
            "dimensions."
        )
    words = {"vocab_size": LEVELS * CODES + 2, "pad_token_id": PAD, "bos_token_id": START}
    if tokenizer is not None:
        words = {"vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id}
    torch.manual_seed(settings["seed"])
    config = LlamaConfig(
        hidden_size=settings["hidden"],
        intermediate_size=settings["intermediate"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        max_position_embeddings=1024 if tokenizer is None else 4096,
        tie_word_embeddings=True,
        eos_token_id=None,
        **words,
    )
    return LlamaForCausalLM(config)


def head(model: PreTrainedModel) -> nn.Module:
    """The layer from hidden states to logits over the vocabulary."""
    layer: nn.Module = model.get_output_embeddings()
    return layer


def logits_of(model: PreTrainedModel, state: Tensor) -> Tensor:
    """Logits over the vocabulary, float32 (..., vocabulary), from last hidden states.

    A trained teacher's are exact also under autocast: bfloat16 would round them by about the
    differences between candidates, whose order is what ranking teaches.
    """
    layer: Any = head(model)
    # While LoRA learns, the layer adds to its weights what it has learned of the codewords.
    if model.training or type(layer) is not nn.Linear:
        logits: Tensor = layer(state).float()
        return logits
    bias = None if layer.bias is None else layer.bias.float()
    with torch.autocast(state.device.type, enabled=False), exact_products():
        return F.linear(state.float(), layer.weight.float(), bias)


def save_teacher(
    model: PreTrainedModel, folder: str | Path, save_words: Callable[[Path], None] | None = None
) -> None:
    """Write a folder that transformers' `from_pretrained` reads; whole or not at all.

    Args:
        save_words: writes into the folder what else a teacher with words needs.
    """
    with whole_folder(folder) as temporary:
        # One file, so that its name is known before.
        model.save_pretrained(temporary, max_shard_size="1TB")
        if save_words is not None:
            save_words(temporary)


def load_teacher(folder: str | Path, device: torch.device | str = "cpu") -> PreTrainedModel:
    """The teacher saved in `folder`, in evaluation mode.

    Raises:
        FileNotFoundError: the folder holds no model.
    """
    if not (Path(folder) / "config.json").exists():
        raise FileNotFoundError(f"{folder} holds no teacher; train it first (rule train_teacher).")
    safe = {"use_safetensors": True, "trust_remote_code": False}  # it may be somebody else's
    return AutoModelForCausalLM.from_pretrained(folder, **safe).to(device).eval()


def add_dropout(model: PreTrainedModel, share: float) -> list[RemovableHandle]:
    """Drop embeddings and what each block adds to the residual stream, in training mode.

    transformers' LLaMA drops attention weights only; that held small teachers back where this
    helps. Returns the hooks, to be removed after training.
    """

    def hook(module: nn.Module, _: Any, output: Tensor) -> Tensor:
        return drop(output, share, module.training)

    modules = [model.get_input_embeddings()]
    for layer in model.base_model.layers:
        modules += [layer.self_attn.o_proj, layer.mlp.down_proj]
    return [module.register_forward_hook(hook) for module in modules]
