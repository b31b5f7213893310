"""Residual-quantised autoencoder that turns a text vector into codewords (Section 2.2, Eq. 2-6)."""

import hashlib
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from lohrec.artefacts import whole
from lohrec.joblog import progress

# Items encoded at a time: bounds the (items, codes) distances at 64 MB for 256 codes.
CHUNK = 65536
CHECKPOINT_SECONDS = 60


class RQVAE(nn.Module):
    """An MLP encoder, `levels` codebooks on the residuals, and the encoder's mirror as decoder.

    Inputs are shifted and scaled as a whole (`centre`, `scale`, both taken from the training
    vectors) so that the losses of Eq. 4 and Eq. 5 are of one size whatever made the vectors.

    Attributes:
        codebooks: (levels, codes, latent).
        shape: the arguments of the constructor, as saved beside the weights.
    """

    def __init__(self, inputs: int, hidden: list[int], latent: int, levels: int, codes: int):
        super().__init__()
        self.shape = {
            "inputs": inputs,
            "hidden": list(hidden),
            "latent": latent,
            "levels": levels,
            "codes": codes,
        }
        self.encoder = _mlp([inputs, *hidden, latent])
        self.decoder = _mlp([latent, *reversed(hidden), inputs])
        self.codebooks = nn.Parameter(torch.zeros(levels, codes, latent))
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))

    def encode(self, x: Tensor) -> Tensor:
        """Latents z, (items, latent), of vectors x, (items, inputs)."""
        return self.encoder((x - self.centre) / self.scale)

    def decode(self, z: Tensor) -> Tensor:
        """Vectors, (items, inputs), from quantised latents, (items, latent)."""
        return self.decoder(z) * self.scale + self.centre

    def distances(self, residual: Tensor, level: int) -> Tensor:
        """Squared distances of residuals, (items, latent), to a level's codewords, (items, codes)."""
        book = self.codebooks[level]
        return (
            residual.square().sum(1, keepdim=True) - 2 * residual @ book.T + book.square().sum(1)
        )

    def quantise(self, z: Tensor) -> Tensor:
        """Codewords of latents by Eq. 2-3: int64 (items, levels)."""
        codes, residual = [], z
        for level in range(len(self.codebooks)):
            codes.append(self.distances(residual, level).argmin(1))
            residual = residual - self.codebooks[level][codes[-1]]
        return torch.stack(codes, 1)

    def embed(self, codes: Tensor) -> Tensor:
        """Quantised latents: the sum of the codewords, (items, latent)."""
        return sum(book[codes[:, level]] for level, book in enumerate(self.codebooks))

    def losses(self, x: Tensor, beta: float, reduction: str) -> tuple[Tensor, Tensor]:
        """Reconstruction and codebook loss (Eq. 4 and 5), averaged over the batch.

        Args:
            x: (batch, inputs).
            beta: weight of the commitment term.
            reduction: "sum" over dimensions and levels as printed, or "mean" over both.
        """
        reduce = torch.sum if reduction == "sum" else torch.mean
        target = (x - self.centre) / self.scale
        z = self.encoder(target)
        codes = self.quantise(z.detach())
        codebook, residual = [], z
        for level, book in enumerate(self.codebooks):
            e = book[codes[:, level]]
            # sg[] of Eq. 5; a codeword is also constant in the residuals of later levels, so that
            # each codebook follows its own level only while every level pulls at the encoder.
            codebook.append(
                (residual.detach() - e).square() + beta * (residual - e.detach()).square()
            )
            residual = residual - e.detach()
        quantised = z - residual.detach()  # straight-through: value of z-hat, gradient of z
        reconstruction = (target - self.decoder(quantised)).square()
        return (
            reduce(reconstruction, dim=1).mean(),
            reduce(torch.stack(codebook, 1), dim=(1, 2)).mean(),
        )


def _mlp(widths: list[int]) -> nn.Sequential:
    layers = []
    for i, o in zip(widths, widths[1:], strict=False):
        linear = nn.Linear(i, o)
        nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def encode_all(model: RQVAE, vectors: Tensor) -> Tensor:
    """Latents of all vectors, (items, latent), computed in chunks on the model's device."""
    return torch.cat([model.encode(chunk) for chunk in vectors.split(CHUNK)])


@torch.no_grad()
def quantise_all(model: RQVAE, latents: Tensor) -> Tensor:
    """Codewords of all latents, int64 (items, levels), computed in chunks."""
    return torch.cat([model.quantise(chunk) for chunk in latents.split(CHUNK)])


def use_and_perplexity(codes: np.ndarray, size: int) -> tuple[list[int], list[float]]:
    """Codewords in use, and the perplexity exp(H) of their distribution, of each level."""
    use, perplexity = [], []
    for level in codes.T:
        share = np.bincount(level, minlength=size) / len(codes)
        share = share[share > 0]
        use.append(len(share))
        perplexity.append(float(np.exp(-(share * np.log(share)).sum())))
    return use, perplexity


def train(
    vectors: np.ndarray, settings: dict, device: torch.device, checkpoint: str | Path
) -> tuple[RQVAE, list[dict]]:
    """Train on all items and return the model of the epoch with the fewest collisions.

    Ties are broken by the number of codewords in use, then by the loss; epochs of the warm-up do
    not count, because a random encoder keeps items apart too. A run that was killed continues from
    `checkpoint` and ends with the same model; the caller removes the file once the result is safe.

    Args:
        vectors: float (items, inputs).
        settings: the section `rqvae` of the configuration.
        device: where the vectors and the model live.
        checkpoint: file for the state of an unfinished run.

    Returns:
        The model on `device`, and one row an epoch: epoch, reconstruction, codebook (losses),
        collisions (items less distinct identifiers), restarted (codewords moved after the epoch),
        use and perplexity (a list over levels), kept (whether this is the returned model).

    Raises:
        ValueError: there are no items, or a vector is not finite.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"RQ-VAE needs vectors (items, inputs), got the shape {vectors.shape}.")
    if not np.isfinite(vectors).all():
        item = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
        raise ValueError(f"The vector of item {item} is not finite: make the embeddings again.")

    seed, size, epochs = settings["seed"], settings["batch_size"], settings["epochs"]
    torch.manual_seed(seed)
    x = torch.from_numpy(vectors).to(device)
    model = RQVAE(
        x.shape[1], settings["hidden"], settings["latent"], settings["levels"], settings["codes"]
    ).to(device)
    model.centre.copy_(x.mean(0))
    model.scale.copy_((x - model.centre).square().mean().sqrt().clamp(min=1e-12))
    optimiser = torch.optim.AdamW(
        model.parameters(), settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    warmup = settings["warmup_epochs"] * -(-len(x) // size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / max(1, warmup))
    )
    history: list[dict] = []
    best: dict = {}

    _initialise(model, x, seed)
    bar = progress(range(len(history), epochs), "RQ-VAE", total=epochs, unit="epoch")
    for epoch in bar:
        rng = np.random.default_rng([seed, epoch])
        order = torch.from_numpy(rng.permutation(len(x))).to(device)
        total = torch.zeros(2, device=device)
        for rows in order.split(size):
            reconstruction, codebook = model.losses(
                x[rows], settings["beta"], settings["reduction"]
            )
            optimiser.zero_grad(set_to_none=True)
            (reconstruction + codebook).backward()  # Eq. 6
            optimiser.step()
            schedule.step()
            total += torch.stack([reconstruction.detach(), codebook.detach()]) * len(rows)

        latents = encode_all(model, x)
        codes = quantise_all(model, latents).cpu().numpy()
        use, perplexity = use_and_perplexity(codes, settings["codes"])
        reconstruction, codebook = (total / len(x)).tolist()
        row = {"epoch": epoch + 1, "reconstruction": reconstruction, "codebook": codebook,
            "collisions": len(codes) - len(np.unique(codes, axis=0)),
            "use": use, "perplexity": perplexity}
        history.append(row)
        if (epoch + 1) % settings["restart_every"] == 0 and epoch+1<epochs:
            row["restarted"] = _restart(model, optimiser, latents, rng)
        if epoch % 5 == 4 or epoch==0: print(row)
    return model, history


def _initialise(model: RQVAE, x: Tensor, seed: int) -> None:
    """Set each level's codebook to the k-means centres of the residuals of all items."""
    residual = encode_all(model, x)
    for level, book in enumerate(model.codebooks.data):
        points = residual.cpu().numpy()
        distinct = len(np.unique(points, axis=0))
        count = min(len(book), distinct)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = KMeans(count, n_init=1, max_iter=50, random_state=seed + level).fit(points)
        book[:count] = torch.from_numpy(found.cluster_centers_)
        residual = residual - book[model.distances(residual, level).argmin(1)]

@torch.no_grad()
def _restart(model, optimiser, latents, rng):
    residual = latents
    moved = 0
    moments = optimiser.state[model.codebooks]
    for level, book in enumerate(model.codebooks.data):
        codes = torch.cat([model.distances(c, level).argmin(1) for c in residual.split(CHUNK)])
        unused = torch.bincount(codes, minlength=len(book)).eq(0).nonzero().flatten()
        if len(unused):
            rows = rng.choice(len(residual), len(unused), replace=len(unused) > len(residual))
            book[unused] = residual[torch.from_numpy(rows).to(residual.device)]
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name][level, unused] = 0
            moved += len(unused)
            codes = torch.cat([model.distances(c, level).argmin(1) for c in residual.split(CHUNK)])
        residual = residual - book[codes]
    return moved
