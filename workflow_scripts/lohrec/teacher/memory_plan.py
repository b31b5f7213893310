"""How much GPU memory a teacher's training takes, computed from its shape (Section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lohrec.identifiers.codewords import CODES, LEVELS

if TYPE_CHECKING:  # a workflow is planned without them
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

# Matrices of a layer that LoRA can adapt.
MODULES = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
)  # fmt: skip
GB = 1e9
# Parts that lie in the machine's memory, too, when weights are loaded and checkpoints saved.
KEPT = ("frozen weights", "learned weights", "optimiser")

# What makes the training of a teacher with words need less, by its kind.
SMALLER = {
    "pretrained": "Lower adaptation.batch_tokens, set adaptation.checkpointing to true, "
    "teacher.training.bf16 to true or adaptation.method to lora, or name a smaller model",
    "scratch_text": "Lower adaptation.batch_tokens, set adaptation.checkpointing or "
    "teacher.training.bf16 to true, or lower teacher.network.hidden, layers or intermediate",
}


@dataclass(frozen=True)
class Step:
    """What is computed at once.

    Attributes:
        tokens: read at once.
        row: tokens of the longest row.
        answers: tokens that are predicted.
        checkpointing: whether layers are computed again for the gradients.
        bf16: whether matrices are multiplied in bfloat16.
        dropped: matrices of a layer whose inputs LoRA drops a part of.
    """

    tokens: int
    row: int
    answers: int
    checkpointing: bool
    bf16: bool
    dropped: tuple[str, ...] = ()


def plan(
    config: PretrainedConfig | SimpleNamespace,
    parameters: float,
    learned: float,
    frozen_bytes: int,
    step: Step,
) -> dict[str, float]:
    """Bytes of one training process, by part.

    Learned parameters are float32 with a gradient and AdamW's two moments: 16 bytes each. With
    checkpointing a layer leaves its input, and one layer at a time is computed again.

    Args:
        config: of the network, as transformers has it.
        parameters: all of them.
        learned: those that are trained.
        frozen_bytes: bytes of a parameter that is not trained.
    """
    hidden, layers = config.hidden_size, config.num_hidden_layers
    size = 2 if step.bf16 else 4
    # What one layer keeps for its backward pass: 10 float32 values of hidden size, or 17 of half
    # the width, since autocast leaves norms in float32 and keeps what it casts; and 4 of the
    # intermediate size. Attention through a mask keeps no square of the length but the mask,
    # which it casts for itself.
    kept = (34 if step.bf16 else 40) * hidden + 4 * size * config.intermediate_size
    # LoRA's dropout leaves each of its matrices a mask and an input of its own: measured on a CPU,
    # at most so many bytes a value.
    widths = [config.intermediate_size if m == "down_proj" else hidden for m in step.dropped]
    kept += (4 if step.bf16 else 7) * sum(widths)
    layer = step.tokens * kept
    inputs = step.tokens * hidden * size
    return {
        "frozen weights": (parameters - learned) * frozen_bytes,
        # Autocast makes a bfloat16 copy of learned matrices.
        "learned weights": learned * (4 + 2 * step.bf16),
        "gradients": learned * 4,
        "optimiser": learned * 8,
        "activations": layers * inputs + layer if step.checkpointing else layers * layer,
        "mask": step.tokens * step.row * (1 + size * (1 if step.checkpointing else layers)),
        # In float32 with their gradient, and as they were multiplied.
        "logits": step.answers * config.vocab_size * (2 * 4 + size),
    }


def of_network(network: PreTrainedModel, step: Step) -> dict[str, float]:
    """The plan for a network as it is."""
    every = list(network.parameters())
    frozen = [p for p in every if not p.requires_grad]
    total = sum(p.numel() for p in every)
    learned = total - sum(p.numel() for p in frozen)
    width = frozen[0].element_size() if frozen else 4
    return plan(network.config, total, learned, width, step)


def of_packed(training: dict[str, Any], adaptation: dict[str, Any]) -> Step:
    """A step of packed samples; their responses are at most a third of their tokens or so."""
    tokens = max(adaptation["batch_tokens"], adaptation["row_tokens"])
    bf16, row = training["bf16"] is True, adaptation["row_tokens"]
    lora = adaptation["method"] == "lora" and adaptation["dropout"] > 0
    dropped = tuple(adaptation["modules"]) if lora else ()
    return Step(tokens, row, tokens // 3, adaptation["checkpointing"], bf16, dropped)


def lora_parameters(
    hidden: int,
    intermediate: int,
    layers: int,
    rank: int,
    modules: Sequence[str],
    tied: bool,
    key_value: int,
) -> int:
    """What LoRA trains: A and B of every module named, and the codewords' rows.

    Args:
        key_value: size of keys, and of values.
    """
    shape = {
        "q_proj": (hidden, hidden),
        "o_proj": (hidden, hidden),
        "k_proj": (hidden, key_value),
        "v_proj": (hidden, key_value),
        "gate_proj": (hidden, intermediate),
        "up_proj": (hidden, intermediate),
        "down_proj": (intermediate, hidden),
    }
    rows = LEVELS * CODES * hidden * (1 if tied else 2)
    return layers * rank * sum(sum(shape[name]) for name in modules) + rows


def check_shape(config: PretrainedConfig, adaptation: dict[str, Any]) -> None:
    """Refuse a model whose layers are not LLaMA's.

    Args:
        config: of the network, as transformers has it.
        adaptation: the section of that name.

    Raises:
        ValueError: it is of another shape, or LoRA's modules are not among its own.
    """
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    if not all(hasattr(config, name) for name in sizes):
        raise ValueError(
            f"{adaptation['model']} is of type {config.model_type!r}, whose layers are not "
            "LLaMA's. Name a model of type llama, mistral, qwen2 or qwen3 in adaptation.model."
        )
    if unknown := sorted(set(adaptation["modules"]) - set(MODULES)):
        raise ValueError(
            f"adaptation.modules names {', '.join(unknown)}; there is: {', '.join(MODULES)}."
        )


def text(parts: dict[str, float]) -> str:
    """The plan as one line."""
    listed = ", ".join(f"{name} {size / GB:.2f}" for name, size in parts.items())
    return f"memory plan in GB, computed: {listed}; together {sum(parts.values()) / GB:.2f}"


def require(parts: dict[str, float], device: torch.device, remedy: str) -> None:
    """Refuse a GPU that is too small.

    Args:
        parts: the plan.
        remedy: what would need less.

    Raises:
        RuntimeError: it is; the message says what to lower.
    """
    if device.type != "cuda":
        return
    import torch

    size = torch.cuda.get_device_properties(device).total_memory
    enough(parts, size / GB, remedy)


def enough(parts: dict[str, float], gigabytes: float, remedy: str) -> None:
    """Refuse a memory that is too small for a plan; see `require`.

    Raises:
        RuntimeError: it is; the message says what to lower.
    """
    if sum(parts.values()) > gigabytes * GB:
        raise RuntimeError(
            f"The teacher's training does not fit into {gigabytes:.0f} GB: {text(parts)}. "
            f"{remedy}; or, with a larger GPU, raise cuda.train_teacher.memory_gb."
        )


def of_checkpoint(
    config: PretrainedConfig, parameters: int, settings: dict[str, Any]
) -> dict[str, float]:
    """The plan for a checkpoint that was not loaded, from its configuration."""
    adaptation = settings["adaptation"]
    key_value = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    parameters += (1 if config.tie_word_embeddings else 2) * LEVELS * CODES * config.hidden_size
    learned = parameters
    if adaptation["method"] == "lora":
        learned = lora_parameters(
            config.hidden_size,
            config.intermediate_size,
            config.num_hidden_layers,
            adaptation["rank"],
            adaptation["modules"],
            config.tie_word_embeddings,
            key_value * width,
        )
    step = of_packed(settings["teacher"]["training"], adaptation)
    return plan(config, parameters, learned, 2 if step.bf16 else 4, step)


def parameters(settings: dict[str, Any]) -> int:
    """Parameters of a teacher from scratch, from its settings; 0 of a checkpoint.

    Args:
        settings: the sections `teacher` and `adaptation`.
    """
    if settings["teacher"]["kind"] == "pretrained":
        return 0
    network, hidden = settings["teacher"]["network"], settings["teacher"]["network"]["hidden"]
    layer = 4 * hidden * hidden + 3 * hidden * network["intermediate"]
    # The head is the embedding.
    return int(network["layers"] * layer + _vocabulary(settings) * hidden)


def of_settings(settings: dict[str, Any]) -> dict[str, float]:
    """The plan for a teacher from scratch before there are data; nothing for a checkpoint.

    Args:
        settings: the sections `teacher`, `adaptation` and `ingest`.
    """
    if not (every := parameters(settings)):
        return {}
    network, training = settings["teacher"]["network"], settings["teacher"]["training"]
    config = SimpleNamespace(
        hidden_size=network["hidden"],
        num_hidden_layers=network["layers"],
        intermediate_size=network["intermediate"],
        vocab_size=_vocabulary(settings),
    )
    step = of_packed(training, settings["adaptation"])
    if settings["teacher"]["kind"] == "scratch":
        longest = 1 + LEVELS * (settings["ingest"]["history"] + 1)
        step = of_windows(training, longest)
    return plan(config, every, every, 4, step)


def of_windows(training: dict[str, Any], longest: int) -> Step:
    """A step of windows over codewords alone.

    Args:
        longest: tokens of the longest window.
    """
    answers = training["batch_size"] * LEVELS
    return Step(2 * answers, longest, answers, False, training["bf16"] is True)


def _vocabulary(settings: dict[str, Any]) -> int:
    words = settings["adaptation"]["vocabulary"] if settings["teacher"]["kind"] != "scratch" else 2
    return LEVELS * CODES + int(words)
