"""GPU memory and time of pretrained teachers by size, computed from their shapes."""

from typing import Any

from transformers import LlamaConfig

from lohrec.teacher import memory_plan

# Shapes of public models: hidden, layers, heads, key-value heads, intermediate, vocabulary, tied.
SHAPES = {
    "100 M, from scratch": (768, 12, 12, 12, 2560, 8000, True),
    "0.5 B (as Qwen2.5-0.5B)": (896, 24, 14, 2, 4864, 151936, True),
    "1.1 B (as TinyLlama)": (2048, 22, 32, 4, 5632, 32000, False),
    "3.2 B (as Llama-3.2-3B)": (3072, 28, 24, 8, 8192, 128256, True),
    "6.7 B (LLaMA-7B)": (4096, 32, 32, 32, 11008, 32000, False),
}
# The Games set: train examples and items; tokens of a prompt are a template's 20 and the codewords
# of 5.6 items on average.
EXAMPLES, ITEMS, PROMPT, SAMPLE = 301_351, 16_859, 42, 48
TEXTS, TEXT_TOKENS = 2 * ITEMS, 512  # titles and descriptions
TFLOPS = 300  # that a GPU sustains: a third of an H100's peak in bfloat16
BEAM_PLACES = 3 * 25  # positions that the beam search computes after a prompt


def page(settings: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of all `SHAPES`.

    Args:
        settings: sections `teacher`, `adaptation` and `tasks` of the paper's preset.
    """
    head = ["teacher", "memory, LoRA (GB)", "memory, all weights (GB)", "training, LoRA (h)"]
    head += ["training, all weights (h)", "candidates (h)", "probabilities (h)", "text vectors (h)"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    teacher, adaptation = settings["teacher"], settings["adaptation"]
    for name, shape in SHAPES.items():
        config, mixture = configuration(*shape), settings["tasks"]["mixture"]
        values = row(config, teacher, adaptation, mixture, TFLOPS * 1e12)
        cells = [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in values]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    epochs = teacher["training"]["epochs"]
    note = f"Games set, {epochs} epochs, {TFLOPS:g} TFLOP/s sustained; computed."
    return "\n".join([note, "", *lines]) + "\n"


def configuration(
    hidden: int,
    layers: int,
    heads: int,
    key_value: int,
    intermediate: int,
    vocabulary: int,
    tied: bool,
) -> LlamaConfig:
    """The shape as transformers has it."""
    return LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value,
        intermediate_size=intermediate,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
    )


def row(
    config: LlamaConfig,
    teacher: dict[str, Any],
    adaptation: dict[str, Any],
    mixture: dict[str, float],
    rate: float,
) -> list[float]:
    """Memory in GB (LoRA, all weights) and hours (training twice, candidates, probabilities, text).

    A token costs two operations a weight to be read, as many to be computed again for its
    gradients, as many for the gradients of its states, and, where all weights learn, of those.
    """
    matrices, top = weights(config)
    total = matrices + top * (1 if config.tie_word_embeddings else 2)
    memory = []
    for method in ("lora", "full"):
        settings = {"teacher": teacher, "adaptation": adaptation | {"method": method}}
        planned = memory_plan.of_checkpoint(config, total, settings)
        memory.append(sum(planned.values()) / memory_plan.GB)
    histories = mixture["sequential"] + mixture["history_to_title"] + mixture["titles_to_index"]
    samples = EXAMPLES * histories + ITEMS * (mixture["item_to_index"] + mixture["index_to_item"])
    tokens = teacher["training"]["epochs"] * samples * SAMPLE
    work = [
        tokens * 2 * 3 * (matrices + top / 3),  # about a third of the tokens are answers
        tokens * 2 * 4 * (matrices + top / 3),
        EXAMPLES * 2 * ((PROMPT + BEAM_PLACES) * matrices + (1 + BEAM_PLACES) * top),
        EXAMPLES * 2 * ((PROMPT + 3) * matrices + 4 * top),
        TEXTS * TEXT_TOKENS * 2 * matrices,
    ]
    return memory + [operations / rate / 3600 for operations in work]


def weights(config: LlamaConfig) -> tuple[int, int]:
    """Weights of the layers' matrices and of the head; an embedding not tied to it is another."""
    hidden = config.hidden_size
    narrow = hidden // config.num_attention_heads * config.num_key_value_heads
    each = 2 * hidden * (hidden + narrow) + 3 * hidden * config.intermediate_size
    return config.num_hidden_layers * each, hidden * config.vocab_size
