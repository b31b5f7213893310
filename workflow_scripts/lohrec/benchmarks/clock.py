"""Honest timings: rivals in turns in one process, medians, and the arithmetic they cannot beat."""

import platform
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
import transformers

from lohrec.common.artefacts import write_json
from lohrec.common.devices import autocast, multiplies_bf16
from lohrec.common.provenance import processor

Name = TypeVar("Name")


def in_turns(
    rivals: Mapping[Name, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[Name, float]:
    """Median seconds of each function, run one after another in every round.

    Work beside it on the machine then slows all of them alike; the first round is a warm-up.

    Args:
        clock: by default the processor time of this process, which leaves out what others take of
            the core. Where functions differ in threads, it has to be `time.perf_counter`.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds + 1):
        for name, run in rivals.items():
            began = clock()
            run()
            if turn:
                seconds[name].append(clock() - began)
    return {name: median(values) for name, values in seconds.items()}


def types() -> dict[str, torch.dtype]:
    """What steps are measured in: bf16 only where this CPU multiplies it."""
    half = {"bf16": torch.bfloat16} if multiplies_bf16(torch.device("cpu")) else {}
    return {"fp32": torch.float32, **half}


def multiply(
    dtype: torch.dtype, size: int = 1024, times: int = 8
) -> tuple[Callable[[], object], int]:
    """Square matrix products on the CPU, to be timed in turns, and their operations."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return lambda: [a @ b for _ in range(times)], 2 * size**3 * times


def descend(
    model: torch.nn.Module, loss: Callable[..., torch.Tensor], bf16: bool
) -> Callable[..., None]:
    """A function that takes one AdamW step on the loss of its arguments, as users write it."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    device = next(model.parameters()).device

    def step(*arguments: object) -> None:
        with autocast(device, bf16):
            value = loss(*arguments)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def share_of_products(run: Callable[[], object]) -> float:
    """Share of a run's time on the CPU that matrix products take."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run()
    time = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    products = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm")
    share: float = sum(time.get(name, 0) for name in products) / sum(time.values())
    return share


def row(
    name: str,
    dtype: str,
    ours: float,
    rival: float | None = None,
    floor: float | None = None,
    unit: str = "s",
) -> dict[str, Any]:
    """One line of a benchmark.

    Args:
        ours, rival: cost, in `unit`.
        floor: what the arithmetic alone costs, in `unit`: operations over the rate of a matrix
            product on this machine; its share of ours is 1 where nothing but products takes time.
    """
    return {
        "name": name,
        "dtype": dtype,
        "device": f"CPU, {torch.get_num_threads()} thread(s)",
        "ours": ours,
        "rival": rival,
        "ratio": None if rival is None else rival / ours,
        "floor_share": None if floor is None else floor / ours,
        "unit": unit,
    }


def write(path: str | Path, rows: list[dict[str, Any]], **more: object) -> None:
    """Write rows with the machine and the versions that they were measured with."""
    for line in rows:
        print(line)
    write_json(
        path,
        {
            "device": processor(),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
            **more,
            "rows": rows,
        },
    )


def peak_memory() -> int:
    """Most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def own_memory() -> int:
    """Bytes that this process holds now, mapped files left out (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))
