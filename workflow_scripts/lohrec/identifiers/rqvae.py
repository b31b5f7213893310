"""Residual-quantised autoencoder that turns a text vector into codewords (Section 2.2, Eq. 2-6)."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from lohrec.common.artefacts import whole
from lohrec.identifiers.codewords import CODES, LEVELS

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
        "levels": {
            "type": "integer", "minimum": 2, "maximum": 4, "default": 4,
            "description": (
                "Codewords of an identifier that are learned; models read four, and what is left "
                "of those is one codeword for all items."
            ),
        },
        "codes": {
            "type": "integer", "minimum": 2, "maximum": 256, "default": 256,
            "description": (
                "Codewords of a level. A few hundred items want fewer than 256: they then share "
                "some, and tell of each other."
            ),
        },
    },
}  # fmt: skip

# Items quantised at a time: bounds the (items, codes) distances at 64 MB for 256 codes.
CHUNK = 65536


class RQVAE(nn.Module):
    """An MLP encoder, `levels` codebooks on the residuals, and the encoder's mirror as decoder.

    Inputs are shifted and scaled as a whole (`centre`, `scale`, taken from the training vectors),
    so that the losses of Eq. 4 and Eq. 5 are of one size whatever made the vectors.

    Attributes:
        codebooks: (levels, codes, latent).
        shape: the arguments of the constructor; saved beside the weights.
    """

    centre: Tensor
    scale: Tensor

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
        z: Tensor = self.encoder((x - self.centre) / self.scale)
        return z

    def decode(self, z: Tensor) -> Tensor:
        """Vectors, (items, inputs), from latents, (items, latent)."""
        x: Tensor = self.decoder(z)
        return x * self.scale + self.centre

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
        none = self.codebooks.new_zeros(len(codes), self.codebooks.shape[2])
        return sum((self.codebooks[level][code] for level, code in enumerate(codes.T)), none)

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
            # Not by index: its gradient's sums come in any order where a CPU has several threads.
            e = F.embedding(self.nearest(residual.detach(), level), book)
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
def nearness(model: RQVAE) -> Tensor:
    """How alike the codewords of a level are, 1 / d^2 of their distance d, (LEVELS, CODES, CODES).

    Codewords that the model lacks are all alike.
    """
    book = model.codebooks
    squared = (book[:, :, None] - book[:, None]).square().sum(-1)
    near = 1 / squared.clamp(min=1e-6 * float(squared.mean()))
    missing = (0, CODES - book.shape[1]) * 2 + (0, LEVELS - len(book))
    return F.pad(near, missing, value=1.0)


@torch.no_grad()
def encode_all(model: RQVAE, vectors: Tensor) -> Tensor:
    """Latents of all vectors, (items, latent), computed in chunks."""
    return torch.cat([model.encode(chunk) for chunk in vectors.split(CHUNK)])


@torch.no_grad()
def decoded(model: RQVAE, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Vectors of identifiers, integers (items, levels), in parts: float32 (some items, inputs)."""
    codes = torch.from_numpy(ids.astype(np.int64)).to(model.codebooks.device)
    for chunk in codes.split(CHUNK):
        yield model.decode(model.embed(chunk)).cpu().numpy()


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
