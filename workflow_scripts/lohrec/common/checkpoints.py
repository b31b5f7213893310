"""A run that was cut off goes on from its last checkpoint, if nothing has changed since."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common.artefacts import whole


def fingerprint(settings: Any, *arrays: np.ndarray) -> str:
    """A digest of settings (JSON values) and array contents."""
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for array in arrays:
        digest.update(str((array.shape, array.dtype)).encode())
        # In pieces, so that a memory map larger than the memory can be read.
        for low in range(0, len(array), 65536):
            digest.update(np.ascontiguousarray(array[low : low + 65536]).view(np.uint8).data)
    return digest.hexdigest()


def random_state() -> dict[str, Tensor | None]:
    """The state of torch's generators, of the current GPU too where one is in use."""
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: dict[str, Tensor | None]) -> None:
    """Go back to what `random_state` returned."""
    if state["cpu"] is not None:
        torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])


class Checkpoint:
    """One file that holds the latest state of a run, and what the run was made of.

    A state is made of plain types and tensors, and is read as such: a file runs no code.
    """

    def __init__(self, path: str | Path, fingerprint: str) -> None:
        self.path = Path(path)
        self.fingerprint = fingerprint

    def load(self) -> dict[str, Any] | None:
        """The state saved last, or None where there is none of the same fingerprint."""
        if not self.path.exists():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:  # torch compares no checksums
                if damaged := archive.testzip():
                    raise ValueError(f"{damaged} is damaged")
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a broken file must not stop the run, only its resumption
            print(f"{self.path} cannot be read ({error}); starting afresh")
            return None
        if not isinstance(saved, dict) or saved.get("fingerprint") != self.fingerprint:
            print(f"{self.path} belongs to other settings or inputs; starting afresh")
            return None
        state: dict[str, Any] = saved["state"]
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state."""
        with whole(self.path) as temporary:
            torch.save({"fingerprint": self.fingerprint, "state": state}, temporary)
