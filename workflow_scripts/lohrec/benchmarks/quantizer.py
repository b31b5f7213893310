"""The way from vectors to identifiers without collisions, and an epoch of a deep RQ-VAE."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.benchmarks import arithmetic, clock
from lohrec.identifiers import collisions, rqvae, rqvae_training


def measure(
    embeddings: str,
    path: str,
    laptop: dict[str, Any],
    paper: dict[str, Any],
    resolving: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Train the laptop preset in full and the paper's network for some epochs.

    The paper's inputs have 4096 dimensions; the vectors at hand are rotated into so many, which
    leaves all their distances as they are.
    """
    vectors = np.load(embeddings).astype(np.float32)
    began = time.perf_counter()
    model, history = train(vectors, laptop)
    resolved = collisions.resolve(
        model, rqvae.encode_all(model, torch.from_numpy(vectors)), **resolving
    )
    seconds = time.perf_counter() - began
    left = len(resolved.final) - len(np.unique(resolved.final, axis=0))
    rows = [clock.row(f"laptop preset, {len(vectors):,} items, no collisions", "fp32", seconds)]
    rows[0] |= {"collisions": left, "epochs": len(history)} | use(history)

    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(settings["inputs"], vectors.shape[1])))[0]
    wide = vectors @ rotation.T.astype(np.float32)
    marks = {}
    for epochs in (1, 1 + settings["epochs"]):
        began = time.perf_counter()
        training = paper["training"] | {"epochs": epochs, "warmup_epochs": 0}
        _, history = train(wide, paper | {"training": training})
        marks[epochs] = time.perf_counter() - began
    each = (marks[1 + settings["epochs"]] - marks[1]) / settings["epochs"]
    product, operations = clock.multiply(torch.float32)
    # By the clock that times the epochs, because both use all threads.
    rate = operations / clock.in_turns({"product": product}, 20, time.perf_counter)["product"]
    widths = [settings["inputs"], *paper["network"]["hidden"], paper["network"]["latent"]]
    floor = len(wide) * arithmetic.autoencoder_step(widths) / rate
    rows.append(clock.row("paper's network, one epoch", "fp32", each, floor=floor))
    rows[-1] |= {"epochs": len(history)} | use(history)
    clock.write(path, rows)


def train(
    vectors: np.ndarray, settings: dict[str, Any]
) -> tuple[rqvae.RQVAE, list[dict[str, Any]]]:
    """Train from the start."""
    with tempfile.TemporaryDirectory() as folder:
        return rqvae_training.train(
            vectors, settings, torch.device("cpu"), Path(folder) / "checkpoint"
        )


def use(history: list[dict[str, Any]]) -> dict[str, float]:
    """Codewords in use at every level in the kept epoch."""
    kept = next(row for row in history if row["kept"])
    return {name: value for name, value in kept.items() if name.startswith("use_")}
