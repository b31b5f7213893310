"""Tokenizers with codewords as words, `<a_0>` .. `<d_255>`, and their weights (LC-Rec, 4.2)."""

from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from lohrec.identifiers.codewords import CODEWORDS


def add_codewords(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, seed: int) -> int:
    """Add the codewords to a tokenizer and their rows to embedding and head; return the first.

    Codewords that the tokenizer knows, because a teacher of this workflow is taught on, keep their
    rows. A new row is drawn around the mean of the old ones, dimension by dimension with their
    standard deviation: near enough to be read at once, and no two alike.

    Raises:
        ValueError: the tokenizer knows some of the codewords already, out of order.
    """
    words = [AddedToken(word, normalized=False, special=False) for word in CODEWORDS]
    added = tokenizer.add_tokens(words)
    first = first_codeword(tokenizer)
    if not added:
        return first
    embedding: Any = model.get_input_embeddings()
    before = embedding.weight.shape[0]
    rows = max(before, first + len(CODEWORDS))
    model.resize_token_embeddings(rows, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    # Resizing has put new layers in place of the old ones.
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head.weight is embedding.weight
    for layer in [embedding] if tied else [embedding, head]:
        weight = layer.weight.data
        known = weight[: min(before, first)].float()
        noise = torch.randn(len(CODEWORDS), weight.shape[1], generator=generator)
        new = known.mean(0) + known.std(0) * noise.to(weight.device)
        weight[first : first + len(CODEWORDS)] = new.to(weight.dtype)
    return first


def first_codeword(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token of `<a_0>`; the other codewords follow in order.

    Raises:
        ValueError: they do not, or are no single tokens.
    """
    tokens: Any = tokenizer.convert_tokens_to_ids(CODEWORDS)
    if tokens[0] is None or tokens != list(range(tokens[0], tokens[0] + len(CODEWORDS))):
        raise ValueError(
            "The tokenizer holds the codewords <a_0> .. <d_255> out of order, or not at all. Name "
            "a checkpoint without them, or one that this workflow wrote."
        )
    return int(tokens[0])


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most `size` tokens, for a model with fresh weights."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
