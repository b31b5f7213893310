"""Training an RQ-VAE: k-means codebooks first, unused codewords restarted (Section 2.2, Eq. 6)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lohrec.common import training as runs
from lohrec.common.checkpoints import Checkpoint, fingerprint
from lohrec.identifiers.clustering import kmeans
from lohrec.identifiers.quality import use_and_perplexity
from lohrec.identifiers.rqvae import RQVAE, encode_all

SETTINGS = {
    "training": {
        "learning_rate": {
            "type": "number", "exclusiveMinimum": 0, "default": 0.001,
            "description": "Learning rate of AdamW after the warm-up.",
        },
        "weight_decay": {
            "type": "number", "minimum": 0, "default": 0.0001,
            "description": "Weight decay of AdamW.",
        },
        "batch_size": {
            "type": "integer", "minimum": 1, "default": 1024,
            "description": "Items of a step.",
        },
        "epochs": {
            "type": "integer", "minimum": 1, "default": 500,
            "description": "Passes over the items.",
        },
        "warmup_epochs": {
            "type": "integer", "minimum": 0, "default": 50,
            "description": "Epochs in which the learning rate rises.",
        },
        "restart_every": {
            "type": "integer", "minimum": 1, "default": 5,
            "description": "Epochs between restarts of unused codewords.",
        },
        "seed": {
            "type": "integer", "minimum": 0, "maximum": 4294967295, "default": 0,
            "description": "Seed of weights and order.",
        },
    },
    "objective": {
        "beta": {
            "type": "number", "minimum": 0, "default": 0.25,
            "description": "Weight of the commitment loss (Eq. 5).",
        },
        "reduction": {
            "enum": ["mean", "sum"], "default": "mean",
            "description": (
                "Of the losses over dimensions: mean as in LC-Rec's program, sum as in Eq. 4 and "
                "5."
            ),
        },
    },
}  # fmt: skip


def train(
    vectors: np.ndarray,
    settings: dict[str, dict[str, Any]],
    device: torch.device,
    checkpoint_path: str | Path,
    code: dict[str, Any] | None = None,
) -> tuple[RQVAE, list[dict[str, Any]]]:
    """Train on all items and return the model of the epoch with the fewest collisions.

    Ties are broken by the codewords in use, then by the loss. Only the second half of training
    counts, and never the warm-up: an encoder that has learned little keeps items apart too, but
    without sense. A run that was killed continues from its checkpoint and ends with the same model.

    Args:
        vectors: float (items, inputs).
        settings: the groups network, training and objective of the section `rqvae`.
        device: where the vectors and the model live.
        checkpoint_path: file for the state of an unfinished run.
        code: hashes of the program, so that no checkpoint outlives a change of it.

    Returns:
        The model on `device`, and one row an epoch: epoch, reconstruction and codebook (losses),
        collisions (items less distinct identifiers), use_1 .. and perplexity_1 .. (by level),
        restarted (unused codewords moved afterwards), and what `common.training.train` writes.

    Raises:
        ValueError: there are no items, or more than identifiers; or a vector is not finite.
        FloatingPointError: a loss is no longer finite.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    _check(vectors)
    network, training, objective = (settings[name] for name in ("network", "training", "objective"))
    seed, batch, epochs = training["seed"], training["batch_size"], training["epochs"]
    if len(vectors) > (room := network["codes"] ** network["levels"]):
        raise ValueError(
            f"{network['codes']} codewords at {network['levels']} levels tell {room:,} items "
            f"apart, but there are {len(vectors):,}. Raise rqvae.network.codes or levels."
        )
    x = torch.from_numpy(vectors).to(device)
    torch.manual_seed(seed)
    model = RQVAE(
        x.shape[1], network["hidden"], network["latent"], network["levels"], network["codes"]
    ).to(device)
    _initialise(model, x, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), training["learning_rate"], weight_decay=training["weight_decay"]
    )
    per_epoch = -(-len(x) // batch)
    warmup = max(1, training["warmup_epochs"] * per_epoch)

    def shuffled(number: int) -> tuple[np.random.Generator, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        return rng, rng.permutation(len(x))

    def step(rows: Tensor) -> tuple[dict[str, Tensor], int]:
        reconstruction, codebook = model.losses(x[rows], objective["beta"], objective["reduction"])
        model.zero_grad()
        (reconstruction + codebook).backward()  # Eq. 6
        # Each step counts in an epoch's mean by its items: the last has fewer.
        share = len(rows) * per_epoch / len(x)
        losses = {"reconstruction": reconstruction, "codebook": codebook}
        return {name: value.detach() * share for name, value in losses.items()}, len(rows)

    def evaluate() -> dict[str, Any]:
        codes = model.quantise(encode_all(model, x)).cpu().numpy()
        return _figures(codes, network["codes"])

    first = min(max(training["warmup_epochs"], epochs // 2), epochs - 1)

    def fewest_collisions(row: dict[str, Any]) -> list[float] | None:
        if row["step"] <= first * per_epoch:
            return None
        used = sum(row[f"use_{level + 1}"] for level in range(network["levels"]))
        return [-row["collisions"], used, -(row["reconstruction"] + row["codebook"])]

    def restart(history: list[dict[str, Any]]) -> dict[str, Any]:
        epoch = history[-1]["step"] // per_epoch
        restarted = 0
        if epoch % training["restart_every"] == 0:
            rng, _ = shuffled(epoch - 1)
            restarted = _restart(model, optimizer, encode_all(model, x), rng)
        return {"epoch": epoch, "restarted": restarted}

    history = runs.train(
        model,
        lambda number: torch.from_numpy(shuffled(number)[1]).to(device).split(batch),
        step,
        evaluate,
        fewest_collisions,
        {"epochs": epochs, "evaluations": epochs, "patience": epochs},
        optimizer=optimizer,
        schedule=lambda number: min(1.0, (number + 1) / warmup),
        after=restart,
        checkpoint=Checkpoint(checkpoint_path, fingerprint([settings, code], vectors)),
        unit="items",
        remedy=f"Lower rqvae.training.learning_rate ({training['learning_rate']}).",
        description="RQ-VAE",
    )
    return model, history.to_pylist()


def _check(vectors: np.ndarray) -> None:
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"An RQ-VAE needs vectors (items, inputs), not the shape {vectors.shape}.")
    finite = np.isfinite(vectors).all(1)
    if not finite.all():
        raise ValueError(
            f"{(~finite).sum()} vectors are not finite, that of item {finite.argmin()} first. "
            "Embed the items again, in float32 if it was done in float16."
        )


@torch.no_grad()
def _initialise(model: RQVAE, x: Tensor, seed: int) -> None:
    """Take the inputs' scale, and k-means centres of all residuals as each level's codebook."""
    model.centre.copy_(x.mean(0))
    scale = (x - model.centre).square().mean().sqrt()
    model.scale.copy_(scale.where(scale > 0, torch.ones_like(scale)))
    residual = encode_all(model, x)
    for level, book in enumerate(model.codebooks):
        points = residual.cpu().numpy()
        # Fewer distinct points than codewords leave the rest at zero, to be restarted when needed.
        count = min(len(book), len(np.unique(points, axis=0)))
        clusters = kmeans(points, count, seed, rounds=50)
        book[:count] = torch.from_numpy(clusters.cluster_centers_)
        residual = residual - book[model.nearest(residual, level)]


@torch.no_grad()
def _restart(
    model: RQVAE, optimizer: torch.optim.Optimizer, latents: Tensor, rng: np.random.Generator
) -> int:
    """Move codewords that no item uses to random residuals of their level; return how many."""
    moved, residual = 0, latents
    moments = optimizer.state[model.codebooks]
    for level, book in enumerate(model.codebooks):
        used = torch.bincount(model.nearest(residual, level), minlength=len(book)) > 0
        unused = (~used).nonzero().flatten()
        rows = rng.choice(len(residual), len(unused), replace=len(unused) > len(residual))
        book[unused] = residual[torch.from_numpy(rows).to(residual.device)]
        moments["exp_avg"][level, unused] = 0
        moments["exp_avg_sq"][level, unused] = 0
        moved += len(unused)
        residual = residual - book[model.nearest(residual, level)]
    return moved


def _figures(codes: np.ndarray, size: int) -> dict[str, Any]:
    use, perplexity = use_and_perplexity(codes, size)
    return {
        "collisions": len(codes) - len(np.unique(codes, axis=0)),
        **{f"use_{level}": value for level, value in enumerate(use, 1)},
        **{f"perplexity_{level}": value for level, value in enumerate(perplexity, 1)},
    }
