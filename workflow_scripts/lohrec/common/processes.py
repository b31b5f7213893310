"""Several processes train one model, a GPU each: torchrun starts them, gradients are summed."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
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
        # The others wait while the first writes a checkpoint, which may be tens of gigabytes.
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(hours=2))
    return device


def launch(
    module: str, arguments: list[str], processes: int, nodes: int = 1, threads: int = 1
) -> None:
    """Run a module in several processes under torchrun, and wait for them.

    Args:
        processes: of each node.
        nodes: of the SLURM job, on the first of which this is called; all see the same files.
        threads: CPU threads of each node.

    Raises:
        RuntimeError: several nodes are asked for, and this is no job of SLURM's; or one of them
            failed, whose traceback is in the log.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "torch.distributed.run"]
    command += ["--standalone"] if nodes == 1 else _rendezvous(nodes)
    command += ["--nproc-per-node", str(processes), "-m", module, *arguments]
    if nodes > 1:
        each = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
        # The others would wait for the gradients of one that failed.
        each += [f"--cpus-per-task={threads}", "--kill-on-bad-exit=1"]
        command = ["srun", *each, *command]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": path}).returncode:
        raise RuntimeError(
            f"One of {nodes * processes} processes that work together failed, and so all ended. "
            "The log has its traceback; those that name a lost connection only follow from it."
        )


def _rendezvous(nodes: int) -> list[str]:
    """Arguments of torchrun on each node: all find each other at a free port of this one."""
    if "SLURM_JOB_ID" not in os.environ:
        raise RuntimeError(
            f"This step is to run on {nodes} nodes and is no job of SLURM's, which alone gives it "
            "several. Start with --workflow-profile profiles/slurm, or set nodes to 1."
        )
    with socket.socket() as free:
        free.bind(("", 0))
        place = f"{socket.gethostname()}:{free.getsockname()[1]}"
    return [
        *("--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint", place),
        *("--rdzv-id", os.environ["SLURM_JOB_ID"]),
        # Seconds; a node may read Python much later than another.
        *("--rdzv-conf", "read_timeout=600"),
    ]
