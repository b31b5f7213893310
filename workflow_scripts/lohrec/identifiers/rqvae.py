"""Residual-quantised autoencoder that turns a text vector into codewords (Section 2.2, Eq. 2-6)."""

import json
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from lohrec.common.artefacts import whole
from lohrec.common.checkpoints import Checkpoint, fingerprint
from lohrec.common.job_log import progress
from lohrec.identifiers.quality import use_and_perplexity

SETTINGS = {
    "network": {
        "hidden": {
            "type": "array", "items": {"type": "integer", "minimum": 1},
            "default": [2048, 1024, 512, 256, 128, 64],
            "description": (
                "Widths of the encoder's hidden layers; the decoder's are the same backwards."
            ),
        },
        "latent": {
            "type": "integer", "minimum": 1, "default": 32,
            "description": "Length of a latent vector and of a codeword's.",
        },
        "levels": {"const": 4, "default": 4, "description": "Codewords of an identifier; fixed."},
        "codes": {"const": 256, "default": 256, "description": "Codewords of a level; fixed."},
    },
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
        "seed": {"type": "integer", "default": 0, "description": "Seed of weights and order."},
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

# Items quantised at a time: bounds the (items, codes) distances at 64 MB for 256 codes.
CHUNK = 65536
CHECKPOINT_SECONDS = 60


class RQVAE(nn.Module):
    """An MLP encoder, `levels` codebooks on the residuals, and the encoder's mirror as decoder.

    Inputs are shifted and scaled as a whole (`centre`, `scale`, taken from the training vectors),
    so that the losses of Eq. 4 and Eq. 5 are of one size whatever made the vectors.

    Attributes:
        codebooks: (levels, codes, latent).
        shape: the arguments of the constructor; saved beside the weights.
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
        """Latents z, (items, latent), of vectors, (items, inputs)."""
        return self.encoder((x - self.centre) / self.scale)

    def decode(self, z: Tensor) -> Tensor:
        """Vectors, (items, inputs), from latents, (items, latent)."""
        return self.decoder(z) * self.scale + self.centre

    def distances(self, residual: Tensor, level: int) -> Tensor:
        """Squared distances of residuals, (items, latent), to a level's codewords, (codes)."""
        book = self.codebooks[level]
        return residual.square().sum(1, True) - 2 * residual @ book.T + book.square().sum(1)

    def nearest(self, residual: Tensor, level: int) -> Tensor:
        """Codewords of residuals at a level (Eq. 2), int64 (items,), computed in chunks."""
        with torch.no_grad():
            chunks = residual.split(CHUNK)
            return torch.cat([self.distances(chunk, level).argmin(1) for chunk in chunks])

    def quantise(self, z: Tensor) -> Tensor:
        """Codewords of latents at every level (Eq. 2 and 3), int64 (items, levels)."""
        codes, residual = [], z.detach()
        for level, book in enumerate(self.codebooks.detach()):
            codes.append(self.nearest(residual, level))
            residual = residual - book[codes[-1]]
        return torch.stack(codes, 1)

    def embed(self, codes: Tensor) -> Tensor:
        """The sum of the codewords of the levels given, (items, latent), of (items, <= levels)."""
        return sum(self.codebooks[level][code] for level, code in enumerate(codes.T))

    def losses(self, x: Tensor, beta: float, reduction: str) -> tuple[Tensor, Tensor]:
        """Reconstruction and codebook loss (Eq. 4 and 5), averaged over the batch.

        Args:
            x: (batch, inputs).
            beta: weight of the commitment term.
            reduction: "sum" over dimensions and levels as printed, or "mean" over both.
        """
        reduce = torch.sum if reduction == "sum" else torch.mean
        x = (x - self.centre) / self.scale
        z = self.encoder(x)
        errors, residual = [], z
        for level, book in enumerate(self.codebooks):
            e = book[self.nearest(residual.detach(), level)]
            errors.append(
                (residual.detach() - e).square() + beta * (residual - e.detach()).square()
            )
            # A codeword counts as a constant in later residuals: each codebook learns at its own
            # level only, while the commitment of every level reaches the encoder.
            residual = residual - e.detach()  # Eq. 3
        quantised = z - residual.detach()  # straight-through: value of the sum, gradient of z
        reconstruction = (x - self.decoder(quantised)).square()
        return (
            reduce(reconstruction, dim=1).mean(),
            reduce(torch.stack(errors, 1), dim=(1, 2)).mean(),
        )


@torch.no_grad()
def encode_all(model: RQVAE, vectors: Tensor) -> Tensor:
    """Latents of all vectors, (items, latent), computed in chunks."""
    return torch.cat([model.encode(chunk) for chunk in vectors.split(CHUNK)])


@torch.no_grad()
def decode_all(model: RQVAE, ids: np.ndarray) -> np.ndarray:
    """Vectors of identifiers, integers (items, levels): float32 (items, inputs)."""
    codes = torch.from_numpy(ids.astype(np.int64)).to(model.codebooks.device)
    chunks = [model.decode(model.embed(chunk)) for chunk in codes.split(CHUNK)]
    return torch.cat(chunks).cpu().numpy()


def train(
    vectors: np.ndarray,
    settings: dict,
    device: torch.device,
    checkpoint: str | Path,
    code: dict | None = None,
) -> tuple[RQVAE, list[dict]]:
    """Train on all items and return the model of the epoch with the fewest collisions.

    Ties are broken by the codewords in use, then by the loss. Only the second half of training
    counts, and never the warm-up: an encoder that has learned little keeps items apart too, but
    without sense. A run that was killed continues from `checkpoint` and ends with the same model;
    the caller removes the file once the result is safe.

    Args:
        vectors: float (items, inputs).
        settings: the section `rqvae` of the configuration.
        device: where the vectors and the model live.
        checkpoint: file for the state of an unfinished run.
        code: hashes of the program, so that no checkpoint outlives a change of it.

    Returns:
        The model on `device`, and one row an epoch: epoch, reconstruction and codebook (losses),
        collisions (items less distinct identifiers), restarted (unused codewords moved afterwards),
        kept (whether this is the model returned), use_1 .. and perplexity_1 .. (by level).

    Raises:
        ValueError: there are no items, or a vector is not finite.
        FloatingPointError: a loss is no longer finite.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    _check(vectors)
    seed, batch, epochs = settings["seed"], settings["batch_size"], settings["epochs"]
    x = torch.from_numpy(vectors).to(device)
    torch.manual_seed(seed)
    model = RQVAE(
        x.shape[1], settings["hidden"], settings["latent"], settings["levels"], settings["codes"]
    ).to(device)
    optimiser = torch.optim.AdamW(
        model.parameters(), settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    warmup = settings["warmup_epochs"] * -(-len(x) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / max(1, warmup))
    )

    saved_run = Checkpoint(checkpoint, fingerprint([settings, code], vectors))
    state = saved_run.load()
    if state:
        print(f"continues after epoch {len(state['history'])} of {checkpoint}")
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        history, best = state["history"], state["best"]
    else:
        _initialise(model, x, seed)
        history, best = [], {"rank": None}

    first = min(max(settings["warmup_epochs"], epochs // 2), epochs - 1)
    saved = time.monotonic()
    done = len(history)
    bar = progress(range(done, epochs), "RQ-VAE", total=epochs, unit="epoch", initial=done)
    for epoch in bar:
        # Seeded by the epoch, so that a continued run draws the same.
        rng = np.random.default_rng([seed, epoch])
        total = torch.zeros(2, device=device)
        for rows in torch.from_numpy(rng.permutation(len(x))).to(device).split(batch):
            losses = model.losses(x[rows], settings["beta"], settings["reduction"])
            optimiser.zero_grad(set_to_none=True)
            sum(losses).backward()  # Eq. 6
            optimiser.step()
            schedule.step()
            total += torch.stack(losses).detach() * len(rows)

        means = (total / len(x)).tolist()
        if not np.isfinite(means).all():
            raise FloatingPointError(
                f"The losses are {means} in epoch {epoch + 1}. Lower rqvae.learning_rate "
                f"({settings['learning_rate']})."
            )
        latents = encode_all(model, x)
        codes = model.quantise(latents).cpu().numpy()
        row = _row(epoch + 1, means, codes, settings["codes"])
        used = sum(row[f"use_{level + 1}"] for level in range(codes.shape[1]))
        rank = [row["collisions"], -used, row["reconstruction"] + row["codebook"]]
        if epoch >= first and (best["rank"] is None or rank < best["rank"]):
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            best = {"rank": rank, "epoch": epoch + 1, "model": weights}
        if (epoch + 1) % settings["restart_every"] == 0:
            row["restarted"] = _restart(model, optimiser, latents, rng)
        history.append(row)
        bar.set_postfix(collisions=row["collisions"], kept=best.get("epoch"), refresh=False)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            saved_run.save(
                {
                    "model": model.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(),
                    "history": history,
                    "best": best,
                }
            )
            saved = time.monotonic()

    model.load_state_dict(best["model"])
    return model, [{**row, "kept": row["epoch"] == best["epoch"]} for row in history]


def save(path: str | Path, model: RQVAE) -> None:
    """Write weights and shape as one safetensors file."""
    tensors = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    with whole(path) as temporary:
        save_file(tensors, temporary, metadata={"shape": json.dumps(model.shape)})


def load(path: str | Path) -> RQVAE:
    """Read a model that `save` wrote, onto the CPU.

    Raises:
        ValueError: the file is no such model.
    """
    try:
        with safe_open(path, "pt") as file:
            model = RQVAE(**json.loads((file.metadata() or {})["shape"]))
            model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, RuntimeError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no RQ-VAE of this program ({error}). Train again.") from error
    return model.eval()


def _mlp(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear(inputs, outputs)
        nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = KMeans(count, n_init=1, max_iter=50, random_state=seed).fit(points)
        book[:count] = torch.from_numpy(found.cluster_centers_)
        residual = residual - book[model.nearest(residual, level)]


@torch.no_grad()
def _restart(
    model: RQVAE, optimiser: torch.optim.Optimizer, latents: Tensor, rng: np.random.Generator
) -> int:
    """Move codewords that no item uses to random residuals of their level; return how many."""
    moved, residual = 0, latents
    moments = optimiser.state[model.codebooks]
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


def _row(epoch: int, losses: list[float], codes: np.ndarray, size: int) -> dict:
    use, perplexity = use_and_perplexity(codes, size)
    return {
        "epoch": epoch,
        "reconstruction": losses[0],
        "codebook": losses[1],
        "collisions": len(codes) - len(np.unique(codes, axis=0)),
        "restarted": 0,
        **{f"use_{level}": value for level, value in enumerate(use, 1)},
        **{f"perplexity_{level}": value for level, value in enumerate(perplexity, 1)},
    }
