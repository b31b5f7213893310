"""Causal language models of transformers: safetensors only, revisions pinned, no foreign code."""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:  # to import it takes seconds
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HEXADECIMAL = set("0123456789abcdef")
_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"]
_COPIES = ["consolidated*", "original/*"]  # the same weights in another layout
_REMEDY = (
    "It must be a folder or hub name with config.json, a tokenizer and *.safetensors. "
    "Without a network, download it elsewhere, name its folder in {section}.model, and set "
    "HF_HUB_OFFLINE=1 to fail at once; for a gated model, accept its licence on its page and log "
    "in with `hf auth login`; or choose {instead}."
)
_INSTEAD = {
    "text": "text.method: lsa, which needs no model",
    "adaptation": "teacher.kind: scratch, which needs no model",
}


def pinned(name: str, revision: str | None, section: str) -> dict[str, Any]:
    """The arguments that fix what `from_pretrained` reads.

    Args:
        name: a folder, or a name on the Hugging Face hub.
        revision: the commit of a hub name, 40 hexadecimal digits; not used for a folder.
        section: of the configuration, for messages.

    Raises:
        ValueError: there is no such folder and the revision is no commit.
    """
    folder = Path(name).is_dir()
    if not folder and not (revision and len(revision) == 40 and set(revision) <= _HEXADECIMAL):
        commit = "null" if revision is None else repr(revision)
        raise ValueError(
            f"{section}.model {name!r} is no folder here, and {section}.revision {commit} is "
            "no commit of it on the Hugging Face hub. Name a folder with config.json, "
            "tokenizer.json and *.safetensors, or a hub name together with the 40 digits of its "
            "commit."
        )
    return {"revision": None if folder else revision, "trust_remote_code": False}


def load(
    name: str, revision: str | None, dtype: str, section: str, head: bool
) -> tuple["PreTrainedTokenizerBase", "PreTrainedModel"]:
    """Tokenizer and model, in evaluation mode.

    Args:
        name, revision, section: as for `pinned`.
        dtype: "bfloat16", "float16" or "float32".
        head: whether the model is wanted with its output layer.

    Raises:
        ValueError: the revision is no commit, or the checkpoint is none of a causal decoder.
        FileNotFoundError: tokenizer or weights are neither here nor to be had.
    """
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    where = pinned(name, revision, section)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
        loaded: Any = (AutoModelForCausalLM if head else AutoModel).from_pretrained(
            name,
            use_safetensors=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            **where,
        )
    except Exception as error:  # see `fetch`
        raise _unusable(name, section, error) from error
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{section}.model {name!r} lacks {len(missing)} weights of its configuration, "
            f"{missing[0]} first, which would be random. Download it again."
        )
    if model.config.is_encoder_decoder:
        raise ValueError(f"{section}.model {name!r} is an encoder-decoder; name a causal decoder.")
    return tokenizer, model.eval()


def fetch(name: str, revision: str | None, section: str) -> dict[str, Any]:
    """Have all files of a model at hand, without loading its weights.

    Returns:
        {"folder": where they are, "parameters": in the weight files, "config": config.json}.

    Raises:
        ValueError, FileNotFoundError: as `load`.
    """
    from huggingface_hub import snapshot_download
    from transformers import AutoConfig, AutoTokenizer

    where = pinned(name, revision, section)
    try:
        folder = Path(name)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=_PATTERNS, ignore_patterns=_COPIES
                )
            )
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        AutoTokenizer.from_pretrained(folder, trust_remote_code=where["trust_remote_code"])
        parameters = _parameters(folder)
    # What the hub raises derives from OSError or ValueError, but for the transport's own errors.
    except Exception as error:
        raise _unusable(name, section, error) from error
    if config.is_encoder_decoder:
        raise ValueError(f"{section}.model {name!r} is an encoder-decoder; name a causal decoder.")
    return {"folder": folder, "parameters": parameters, "config": config}


def weights(name: str) -> list[np.ndarray]:
    """The bytes of a folder's weight files, for a digest; none for a name, which a commit pins."""
    return [np.memmap(path, np.uint8, "r") for path in sorted(Path(name).glob("*.safetensors"))]


def _parameters(folder: Path) -> int:
    """Parameters in the weight files of a folder, read from their headers."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    total = 0
    for name in names:
        with open(folder / name, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            tensors = json.loads(file.read(size))
        end = 0
        for tensor, entry in tensors.items():
            if tensor != "__metadata__":
                count = 1
                for length in entry["shape"]:
                    count *= length
                total += count
                end = max(end, entry["data_offsets"][1])
        if (folder / name).stat().st_size < 8 + size + end:
            raise OSError(f"{name} is shorter than its header says; download it again.")
    return total


def _unusable(name: str, section: str, error: Exception) -> FileNotFoundError:
    reason = (str(error).strip() or repr(error)).splitlines()[0]
    remedy = _REMEDY.format(section=section, instead=_INSTEAD[section])
    return FileNotFoundError(f"{section}.model {name!r} cannot be loaded: {reason}\n{remedy}")
