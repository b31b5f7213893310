"""One identifier an item: colliding items get other codewords at the last level (Section 2.2)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lohrec.common.job_log import progress
from lohrec.identifiers import quality
from lohrec.identifiers.rqvae import RQVAE, decoded

SETTINGS = {
    "epsilon": {
        "type": "number", "exclusiveMinimum": 0, "default": 0.003,
        "description": "Weight of the entropy in Sinkhorn's algorithm.",
    },
    "iterations": {
        "type": "integer", "minimum": 1, "default": 50,
        "description": "Iterations of Sinkhorn's algorithm.",
    },
    "rounds": {
        "type": "integer", "minimum": 0, "default": 20,
        "description": (
            "Rounds of reassignment before what still collides moves to the nearest free codeword."
        ),
    },
}  # fmt: skip

# Rows of (row, codeword) plans solved at a time.
CHUNK = 16384


@dataclass(frozen=True)
class Resolution:
    """Identifiers after each step, int16 (items, levels).

    Attributes:
        quantised: nearest codewords (Eq. 2).
        transported: after the rounds of balanced transport.
        final: no two alike.
        rounds: of transport that were run.
    """

    quantised: np.ndarray
    transported: np.ndarray
    final: np.ndarray
    rounds: int

    @property
    def moved(self) -> dict[str, int]:
        """Items by what happened to them: each is counted once, by its last step."""
        last = (self.final != self.transported).any(1)
        prefix = (self.final != self.transported)[:, :-1].any(1)
        transport = (self.transported != self.quantised).any(1) & ~last
        return {
            "unmoved": int((~last & ~transport).sum()),
            "transport": int(transport.sum()),
            "nearest_free": int((last & ~prefix).sum()),
            "other_prefix": int(prefix.sum()),
        }


def resolve(
    model: RQVAE, latents: Tensor, epsilon: float, iterations: int, rounds: int
) -> Resolution:
    """Quantise all items and move colliding ones until no identifier is used twice.

    First up to `rounds` rounds of balanced transport, LC-Rec's, which spreads the items of each
    shared identifier over the last level; where LC-Rec gives an item the largest entry of its row,
    here it gets the nearest of the codewords whose largest entry is the item's. What still
    collides is moved, one by one, to the nearest free codeword of the last level; where all are
    taken (more items than codewords under one prefix), to the nearest codeword of the level before
    that has room. One item of each group, the nearest to the shared codeword, stays.

    Args:
        model: a trained model, on the CPU.
        latents: (items, latent), on the CPU.
        epsilon: entropy weight of the transport, for distances scaled to -1 .. 1.
        iterations: of the Sinkhorn-Knopp algorithm.
        rounds: at most.

    Raises:
        ValueError: more items share their first codewords than two levels can tell apart.
    """
    with torch.no_grad():
        codes = model.quantise(latents).numpy().astype(np.int16)
        quantised, done = codes.copy(), 0
        for done in progress(range(1, rounds + 1), "transport", unit="round"):  # noqa: B007
            if not _transport_round(model, latents, codes, epsilon, iterations):
                break
        transported = codes.copy()
        _nearest_free(model, latents, codes)
    return Resolution(quantised, transported, codes, done)


def report(model: RQVAE, vectors: np.ndarray, resolved: Resolution) -> dict[str, Any]:
    """quality.json: what was moved, and how good identifiers are after each step.

    Args:
        model: that quantised them.
        vectors: float (items, dimensions), which identifiers stand for.
    """
    codes = model.codebooks.shape[1]
    steps = ("quantised", "transported", "final")
    ids = {step: getattr(resolved, step) for step in steps}
    return {
        "source": "rqvae",
        "moved": resolved.moved,
        "rounds": resolved.rounds,
        "steps": {
            step: {
                **quality.identifier_quality(assigned, codes),
                "relative_error": quality.relative_error(vectors, decoded(model, assigned)),
            }
            for step, assigned in ids.items()
        },
    }


def transport_plan(cost: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Logarithm of the Sinkhorn-Knopp plan between rows and columns of equal masses each.

    Args:
        cost: (..., rows, columns).
        epsilon: entropy weight: smaller is nearer to the cheapest plan.
        iterations: each scales the rows, then the columns; in the logarithm, so that no epsilon
            under- or overflows.

    Returns:
        Like `cost`; the exponentials of every column sum to 1 / columns.
    """
    plan = -cost / epsilon
    rows, columns = cost.shape[-2:]
    for _ in range(iterations):
        plan = plan - plan.logsumexp(-1, keepdim=True) - np.log(rows)
        plan = plan - plan.logsumexp(-2, keepdim=True) - np.log(columns)
    return plan


def _transport_round(
    model: RQVAE, latents: Tensor, codes: np.ndarray, epsilon: float, iterations: int
) -> bool:
    """Spread every colliding group over the last level; whether any codeword changed."""
    last = codes.shape[1] - 1
    before = codes.copy()
    for groups in _groups_by_size(codes):  # (groups, size)
        for part in np.array_split(groups, min(len(groups), -(-groups.size // CHUNK))):
            cost = _last_distances(model, latents, codes, part.ravel()).double()
            cost = cost.view(*part.shape, -1)
            low, high = cost.amin((1, 2), True), cost.amax((1, 2), True)
            scaled = 2 * (cost - low) / (high - low).clamp(min=1e-12) - 1
            plan = transport_plan(scaled, epsilon, iterations)
            # An item's mass is nearly the same on all codewords of its share, so its largest is
            # an accident. The plan says whose a codeword is; an item takes its nearest.
            owner = plan.argmax(1, keepdim=True)
            mine = owner == torch.arange(part.shape[1])[:, None]
            nearest = cost.masked_fill(~mine, torch.inf).argmin(-1)
            has = mine.any(-1).numpy()
            codes[part[has], last] = nearest.numpy()[has]
    return bool((codes != before).any())


def _nearest_free(model: RQVAE, latents: Tensor, codes: np.ndarray) -> None:
    """Move all but one item of each group to the nearest free codeword, in place."""
    size, last = model.codebooks.shape[1], codes.shape[1] - 1
    movers = []
    for groups in _groups_by_size(codes):
        distance = _last_distances(model, latents, codes, groups.ravel())
        code = torch.from_numpy(codes[groups.ravel(), last].astype(np.int64))
        stays = distance.gather(1, code[:, None]).view(groups.shape).argmin(1).numpy()
        movers.append(groups[np.arange(groups.shape[1]) != stays[:, None]])
    if not movers:
        return
    taken = _Taken(codes, size)
    for item in progress(np.sort(np.concatenate(movers)), "nearest free codeword", unit="item"):
        # An item has its place under its prefix until it has found another.
        taken.count[tuple(codes[item, :last].tolist())] -= 1
        try:
            codes[item] = taken.take(model, latents[[item]], codes[item])
        except FullError as error:
            raise ValueError(
                f"{error}: the encoder has collapsed. Raise rqvae.training.epochs, or name fewer "
                "layers in rqvae.network.hidden."
            ) from error


class FullError(ValueError):
    """No identifier is free that begins as an item's does."""


class _Taken:
    """Identifiers in use, and how many items are under each prefix.

    Args:
        codes: int (items, levels), identifiers of all items; some may be shared.
        size: codewords a level.
    """

    def __init__(self, codes: np.ndarray, size: int) -> None:
        self.ids = set(map(tuple, codes.tolist()))
        self.count, self.size = Counter(map(tuple, codes[:, :-1].tolist())), size

    def take(self, model: RQVAE, latent: Tensor, codes: np.ndarray) -> tuple[int, ...]:
        """The free identifier nearest to `codes`, (levels,); from now on it is in use."""
        last = len(codes) - 1
        head = tuple(codes[: last - 1].tolist())
        residual = latent - _sum(model, [head])
        for code in model.distances(residual, last - 1)[0].argsort(stable=True).tolist():
            prefix = (*head, code)
            if self.count[prefix] < self.size:
                break
        else:
            raise FullError(f"More than {self.size**2} items share the codewords {head}")
        order = model.distances(latent - _sum(model, [prefix]), last)[0]
        for code in order.argsort(stable=True).tolist():
            if (*prefix, code) not in self.ids:
                break
        self.ids.add((*prefix, code))
        self.count[prefix] += 1
        return (*prefix, code)


def place(model: RQVAE, latents: Tensor, ids: np.ndarray) -> np.ndarray:
    """Identifiers of new items beside those in use, none of which moves.

    Each new item, one after the other, gets its nearest codewords (Eq. 2) if nobody has them, and
    else, as in `resolve`, the nearest that are free.

    Args:
        model: that made the identifiers in use, on the CPU.
        latents: (new items, latent), on the CPU.
        ids: int (items, levels), identifiers in use.

    Returns:
        int64 (new items, levels), all different, and none in use.

    Raises:
        FullError: no codeword is free under an item's first ones.
    """
    taken = _Taken(ids, model.codebooks.shape[1])
    with torch.no_grad():
        codes = model.quantise(latents).numpy()
        try:
            found = [taken.take(model, z[None], own) for z, own in zip(latents, codes, strict=True)]
        except FullError as error:
            raise FullError(
                f"{error}: no identifier is left for some new items. Add fewer that are so alike, "
                "or fit again with all items and larger rqvae.network.codes."
            ) from error
    return np.array(found, dtype=np.int64).reshape(len(latents), ids.shape[1])


def _groups_by_size(codes: np.ndarray) -> list[np.ndarray]:
    """Items that share an identifier, as arrays (groups, size), one for every size above 1."""
    _, group, count = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    start = np.cumsum(count) - count
    return [
        order[start[count == size][:, None] + np.arange(size)]
        for size in np.unique(count[count > 1])
    ]


def _last_distances(model: RQVAE, latents: Tensor, codes: np.ndarray, items: np.ndarray) -> Tensor:
    last = codes.shape[1] - 1
    residual = latents[torch.from_numpy(items)] - _sum(model, codes[items, :last])
    return model.distances(residual, last)


def _sum(model: RQVAE, codes: ArrayLike) -> Tensor:
    return model.embed(torch.as_tensor(np.asarray(codes, dtype=np.int64)))
