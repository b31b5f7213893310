"""A language model made ready to learn identifiers: codewords as tokens, LoRA (LC-Rec, 4.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from lohrec.common import language_models
from lohrec.identifiers.codewords import CODEWORDS
from lohrec.teacher import tokenizers
from lohrec.teacher.model import build_llama, head
from lohrec.teacher.sequence_packing import Sample, fill_rows, mask, pack
from lohrec.teacher.text_tasks import Phrasing
from lohrec.teacher.texts import Texts

SETTINGS = {
    "model": {
        "type": ["string", "null"], "default": "huggyllama/llama-7b",
        "description": (
            "The checkpoint of a pretrained teacher: a name on the Hugging Face hub, or a folder."
        ),
    },
    "revision": {
        "type": ["string", "null"], "pattern": "^[0-9a-f]{40}$",
        "words": "a commit, 40 hexadecimal digits in small letters",
        "default": "4782ad278652c7c71b72204d462d6d01eaaf7549",
        "description": "The commit of a pretrained teacher's model, for a name on the hub.",
    },
    "vocabulary": {
        "type": "integer", "minimum": 300, "default": 8000,
        "description": "Most tokens of the tokenizer that scratch_text trains for itself.",
    },
    "method": {
        "enum": ["lora", "full"], "default": "lora",
        "description": "What is learned: low-rank additions, or all weights.",
    },
    "rank": {"type": "integer", "minimum": 1, "default": 8, "description": "Rank of LoRA."},
    "alpha": {
        "type": "number", "exclusiveMinimum": 0, "default": 32,
        "description": "Scale of LoRA, divided by its rank.",
    },
    "dropout": {
        "type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.05,
        "description": "Dropout of LoRA.",
    },
    "modules": {
        "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True,
        "default": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "description": "Layers of a block that LoRA adds to.",
    },
    "row_tokens": {
        "type": "integer", "minimum": 32, "default": 2048,
        "description": "Tokens of a row of packed samples.",
    },
    "batch_tokens": {
        "type": "integer", "minimum": 32, "default": 8192,
        "description": (
            "Tokens computed at once; a step adds up as many parts as its batch_size needs."
        ),
    },
    "checkpointing": {
        "type": "boolean", "default": True,
        "description": (
            "Whether layers are computed again for the gradients: less memory, more time."
        ),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Adapted:
    """A language model that is about to learn identifiers.

    Attributes:
        network: the model; what it learns requires gradients.
        tokenizer: with the codewords.
        first: the token of `<a_0>`.
        merge: returns the network with what was learned in its own weights.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    first: int
    merge: Callable[[], PreTrainedModel]


def adapt(
    settings: dict[str, Any],
    adaptation: dict[str, Any],
    texts: Texts,
    templates: dict[str, list[Phrasing]],
) -> Adapted:
    """Build or load the network of `settings["kind"]` and prepare it.

    "scratch_text" is LLaMA's architecture with fresh weights and a tokenizer trained on the set's
    texts; "pretrained" is a checkpoint of transformers.

    Args:
        settings: the teacher's kind and its groups `network` and `training` as one.
        adaptation: the section `adaptation`.
    """
    if settings["kind"] == "scratch_text":
        phrasings = [
            text for rows in templates.values() for row in rows for text in vars(row).values()
        ]
        corpus = [text for text in (*texts.titles, *texts.descriptions, *phrasings) if text]
        tokenizer = tokenizers.train_tokenizer(corpus, adaptation["vocabulary"])
        network = build_llama(settings, tokenizer)
    else:
        # Frozen weights may be rounded; weights that learn need float32's small steps.
        rounded = adaptation["method"] == "lora" and settings["bf16"] is True
        dtype = "bfloat16" if rounded else "float32"
        where = adaptation["model"], adaptation["revision"]
        tokenizer, network = language_models.load(*where, dtype, "adaptation", head=True)
    first = tokenizers.add_codewords(tokenizer, network, settings["seed"])
    if adaptation["checkpointing"]:
        network.activation_checkpointing_enable({"use_reentrant": False})
    if adaptation["method"] == "full":
        return Adapted(network, tokenizer, first, lambda: network)
    return _lora(network, tokenizer, first, settings["seed"], adaptation)


def _lora(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    first: int,
    seed: int,
    adaptation: dict[str, Any],
) -> Adapted:
    from peft import LoraConfig, get_peft_model

    rows = list(range(first, first + len(CODEWORDS)))
    trained = {_name(network, network.get_input_embeddings()): rows}
    if network.get_output_embeddings().weight is not network.get_input_embeddings().weight:
        trained[_name(network, network.get_output_embeddings())] = rows
    config = LoraConfig(
        r=adaptation["rank"],
        lora_alpha=adaptation["alpha"],
        lora_dropout=adaptation["dropout"],
        target_modules=adaptation["modules"],
        trainable_token_indices=trained,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    wrapped = get_peft_model(network, config)
    return Adapted(wrapped.get_base_model(), tokenizer, first, wrapped.merge_and_unload)


def _name(network: PreTrainedModel, layer: torch.nn.Module) -> str:
    names = [name for name, module in network.named_modules() if module is layer]
    return str(names[0].split(".")[-1])


@torch.no_grad()
def check_architecture(network: PreTrainedModel) -> None:
    """Refuse a model that computes otherwise than the training and the beam search assume.

    Logits must be the head of the last hidden state, and samples that share a row must not see
    each other through a mask of four dimensions.

    Raises:
        ValueError: the model does not; its type is named.
    """
    network.eval()
    tokens = torch.arange(11, device=network.device)
    samples = [Sample(tokens[:5].numpy(force=True), 1), Sample(tokens[5:].numpy(force=True), 1)]
    packed = pack(samples, fill_rows(torch.tensor([5, 6]).numpy(), 11))
    state = network.base_model(
        input_ids=packed.tokens.to(network.device),
        attention_mask=mask(packed.sample).to(network.device),
        position_ids=packed.position.to(network.device),
        use_cache=False,
    ).last_hidden_state
    logits = head(network)(state)[0].float()
    expected = torch.cat([network(part[None]).logits[0] for part in (tokens[5:], tokens[:5])])
    expected = expected.float()
    if (logits - expected).norm() > 0.05 * expected.norm():
        raise ValueError(
            f"Models of type {network.config.model_type!r} cannot be the teacher: they do not keep "
            "packed samples apart, or do more to their logits than a linear layer. Name a model of "
            "type llama, mistral, qwen2 or qwen3 in adaptation.model."
        )
