"""Losses and gradients of a batch: on a GPU one CUDA graph for each shape, launched at once."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn

from lohrec.common.devices import autocast, send

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """What a network learns from at once; each network's batch is a dataclass made of this."""

    def tensors(self) -> dict[str, Tensor]:
        """The batch's tensors by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if isinstance(value, Tensor)}

    def to(self, device: torch.device) -> Self:
        """The batch on a device, copied without waiting."""
        moved: dict[str, Any] = {name: send(v, device) for name, v in self.tensors().items()}
        return replace(self, **moved)

    def uniform(self) -> Self:
        """The same batch; what is no tensor is alike in all batches of one shape."""
        return self


AnyBatch = TypeVar("AnyBatch", bound=Batch)


class Gradients(Generic[AnyBatch]):
    """Writes the clipped gradients of a batch into the model's parameters.

    A small model's step is hundreds of kernels that take longer to launch than to run. Where
    batches have few shapes, each shape is recorded as a CUDA graph when it first comes, and later
    batches are copied into the tensors which that graph reads. Nothing waits for the device.

    Args:
        model: on its device.
        loss: the losses of a batch that lies on this device; "loss" is the one to descend.
        clip: largest norm of the gradients.
        bf16: see `devices.autocast`.
        graphs: whether batches have few shapes. A CPU never records.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[AnyBatch], Losses],
        clip: float,
        bf16: bool | str,
        graphs: bool,
    ) -> None:
        self.model, self.loss, self.clip, self.bf16 = model, loss, clip, bf16
        self.device = next(model.parameters()).device
        recorded = graphs and self.device.type == "cuda"
        self.graphs: (
            dict[tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, AnyBatch, Losses]] | None
        ) = {} if recorded else None
        self.pool = None if self.graphs is None else torch.cuda.graph_pool_handle()

    def __call__(self, batch: AnyBatch) -> Losses:
        """The losses of the batch, valid until the next call; gradients replace earlier ones."""
        if self.graphs is None:
            return self._compute(batch.to(self.device), keep=False)
        batch = batch.uniform()
        shape = tuple(value.shape for value in batch.tensors().values())
        if shape not in self.graphs:
            failure = None
            try:
                self.graphs[shape] = self._record(batch)
            except RuntimeError as error:
                # Only its text: the error itself holds the tensors of the step that failed.
                failure = str(error.__context__ or error)
            if failure is not None:
                print(f"WARNING: going on without CUDA graphs, which is slower: {failure}")
                self.graphs = None
                return self(batch)
        graph, read, losses = self.graphs[shape]
        copy(batch, read)
        graph.replay()
        return losses

    def _compute(self, batch: AnyBatch, keep: bool) -> Losses:
        """Forward, backward and clipping.

        Args:
            keep: whether gradients stay where they are in memory, as a graph needs it.
        """
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        if keep and gradients:
            torch._foreach_zero_(gradients)  # one kernel
        else:
            self.model.zero_grad()
        # A cache of casts would not be written again when a graph is replayed.
        with autocast(self.device, self.bf16, cache=not keep):
            losses = self.loss(batch)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        return {name: value.detach() for name, value in losses.items()}

    def _record(self, batch: AnyBatch) -> tuple[torch.cuda.CUDAGraph, AnyBatch, Losses]:
        """A graph, the batch that it reads and the losses that it writes.

        The random state is put back, so that a resumed run, which records again, goes on alike; and
        the stream, which torch does not leave where a recording fails.
        """
        read, random = batch.to(self.device), torch.cuda.get_rng_state(self.device)
        side, usual = torch.cuda.Stream(), torch.cuda.current_stream()
        try:
            side.wait_stream(usual)
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._compute(read, keep=True)
            usual.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool):
                losses = self._compute(read, keep=True)
        finally:
            torch.cuda.set_stream(usual)
            torch.cuda.set_rng_state(random, self.device)
        return graph, read, losses


def copy(batch: Batch, into: Batch) -> None:
    """Overwrite a batch of the same shape, without waiting where the host memory is pinned."""
    places = into.tensors()
    for name, value in batch.tensors().items():
        place = places[name]
        if place.device.type == "cuda" and value.device.type == "cpu":
            value = value.pin_memory()
        place.copy_(value, non_blocking=True)
