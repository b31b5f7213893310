"""Several processes train one model, a GPU each: torchrun starts them, gradients are summed."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed


def rank() -> int:
    """The number of this process, 0 where it is alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def add_up(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their sums over all processes."""
    if world() > 1:
        for tensor in tensors:
            distributed.all_reduce(tensor)


def agreed(value: bool, device: torch.device) -> bool:
    """The first process's value, in every process; it travels through the device."""
    if world() == 1:
        return value
    flag = torch.tensor(int(value), device=device)
    distributed.broadcast(flag, 0)
    return bool(flag)


def gathered(value: Any) -> list[Any]:
    """The values of all processes, in every process."""
    every = [value] * world()
    if world() > 1:
        distributed.all_gather_object(every, value)
    return every


def join(device: torch.device) -> torch.device:
    """Join the processes that torchrun started, with this one's device, which is returned."""
    if "LOCAL_RANK" in os.environ:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def launch(module: str, arguments: list[str], processes: int) -> None:
    """Run a module in `processes` processes under torchrun, and wait for them.

    Raises:
        subprocess.CalledProcessError: one of them failed; its traceback is in the log.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", module, *arguments]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True)
