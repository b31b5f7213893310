"""What made the text vectors of a dataset, kept so that new items get vectors of the same space."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lohrec.common.artefacts import whole
from lohrec.identifiers import text_vectors
from lohrec.identifiers.lsa import Lsa

FOLDER, TEXT, RQVAE = "encoder", "text.safetensors", "rqvae.safetensors"


@dataclass(frozen=True)
class TextEncoder:
    """Titles and descriptions to vectors, as the dataset's own items got theirs.

    Attributes:
        settings: the section `text`: of llama its model and commit, whose weights lie elsewhere.
        mean: float32 (dimensions,), the vector of an item without text.
        lsa: what was fitted with the method lsa.
        scaled: whether vectors are scaled to length 1.
    """

    settings: Mapping[str, Any]
    mean: np.ndarray
    lsa: Lsa | None = None
    scaled: bool = False

    def encode(
        self, titles: Sequence[str], descriptions: Sequence[str], device: torch.device
    ) -> np.ndarray:
        """float32 (items, dimensions); an item without a known word gets the mean.

        Args:
            titles, descriptions: one an item, cleaned as those of the dataset; may be empty.
            device: where a language model runs.

        Raises:
            ValueError, FileNotFoundError: the model is none that can be used, or not to be had.
        """
        titles, descriptions = (
            text_vectors.without_long(texts, self.settings["characters"], kind)
            for kind, texts in (("title", titles), ("description", descriptions))
        )
        if self.lsa is not None:
            vectors, empty = self.lsa.encode(titles, descriptions)
            vectors[empty] = self.mean
            return vectors
        vectors = np.tile(self.mean, (len(titles), 1))
        both = zip(titles, descriptions, strict=True)
        full = [row for row, texts in enumerate(both) if any(map(str.strip, texts))]
        if full:
            own = [[texts[row] for row in full] for texts in (titles, descriptions)]
            with TemporaryDirectory() as folder:
                output = Path(folder) / "vectors.npy"
                text_vectors.states(own[0], own[1], output, dict(self.settings), {}, device)
                vectors[full] = np.load(output)
        return text_vectors.unit(vectors) if self.scaled else vectors


def save(path: str | Path, encoder: TextEncoder) -> None:
    """Write one safetensors file; what are no numbers stands in its metadata."""
    tensors: dict[str, np.ndarray] = {"mean": encoder.mean}
    words: dict[str, Any] = {"settings": dict(encoder.settings), "scaled": encoder.scaled}
    if encoder.lsa is not None:
        tensors |= {"idf": encoder.lsa.idf, "components": encoder.lsa.components}
        words["terms"] = encoder.lsa.terms
    with whole(path) as temporary:
        whole_rows = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        # One entry: safetensors writes several in any order.
        save_file(whole_rows, temporary, {"words": json.dumps(words)})


def load(path: str | Path) -> TextEncoder:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is no such encoder.
    """
    try:
        with safe_open(path, "np") as file:
            words = json.loads((file.metadata() or {})["words"])
            lsa = None
            if "terms" in words:
                idf, components = (file.get_tensor(name) for name in ("idf", "components"))
                lsa = Lsa(words["terms"], idf, components)
            return TextEncoder(words["settings"], file.get_tensor("mean"), lsa, words["scaled"])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no text encoder of this program ({error}).") from error
