"""The device a job runs on: what its rule declared, or a clear error."""

import ctypes
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from lohrec.common import provenance
from lohrec.common.gpu_sizes import suffices

# oneDNN keeps what it prepared for each shape of a product, with its scratch memory, for the last
# 1,024 shapes: gigabytes where no two batches are alike, and six times the product's own time where
# it must prepare anew. So batches have few shapes, and this is enough for them. Read when the first
# product is computed.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")

# Locks of the GPUs that this process has taken; they end with it.
_taken: list[IO[str]] = []


def acquire(cuda: dict[str, Any], threads: int) -> torch.device:
    """Return the device that the settings ask for and say what it is.

    Of several GPUs it is one that no other job of this user has taken, so that jobs side by side,
    and the processes of one job, do not share one.

    Args:
        cuda: {"count": GPUs wanted, "memory_gb": memory wanted on each}; count 0 asks for the CPU,
            more than one for as many processes, each of which gets its own (`processes.launch`).
        threads: CPU threads for torch.

    Raises:
        RuntimeError: CUDA is asked for, and there are fewer GPUs of that size.
    """
    torch.set_num_threads(threads)
    if not cuda["count"]:
        keep_memory()
        print(f"device: CPU, {threads} thread(s)")
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count < cuda["count"]:
        raise RuntimeError(
            f"This step needs {cuda['count']} CUDA GPU(s) of {cuda['memory_gb']} GB and finds "
            f"{count} (torch {torch.__version__}, built for CUDA {torch.version.cuda}). Run it on "
            "a GPU machine (see profiles/slurm), or choose a dataset row with the laptop preset."
        )
    gpus = [torch.cuda.get_device_properties(index) for index in range(count)]
    names = [f"GPU {i} {gpu.name}, {gpu.total_memory / 1e9:.0f} GB" for i, gpu in enumerate(gpus)]
    wanted = cuda["memory_gb"]
    fitting = [i for i, gpu in enumerate(gpus) if suffices(gpu.total_memory / 1e9, wanted)]
    if len(fitting) < cuda["count"]:
        raise RuntimeError(
            f"This step's settings ask for {cuda['count']} GPU(s) of {cuda['memory_gb']} GB, and "
            f"there is: {'; '.join(names)}. Lower cuda.*.memory_gb together with the batch size, "
            "or use a larger GPU."
        )
    index = _take({i: gpus[i].uuid for i in fitting})
    print(f"device: {names[index]}")
    torch.cuda.set_device(index)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return torch.device("cuda", index)


def _take(gpus: dict[int, object]) -> int:
    """The number of a free GPU of {number: id}, which is this process's from now on."""
    for index, gpu in gpus.items():
        name = f"lohrec-{os.getuid()}-{gpu}.lock"
        lock = open(Path(tempfile.gettempdir()) / name, "w")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _taken.append(lock)
        return index
    shared = list(gpus)[int(os.environ.get("LOCAL_RANK", 0)) % len(gpus)]
    print(f"Every GPU is taken by another job; GPU {shared} is shared with it.")
    return shared


def named(device: torch.device) -> str:
    """What results say of the device that made them: the GPU's name, or the machine's CPUs."""
    gpu = device.type == "cuda"
    return torch.cuda.get_device_name(device) if gpu else provenance.processor()


@contextmanager
def exact_products() -> Iterator[None]:
    """Products of float32 matrices in float32, where `acquire` allowed the shorter TF32."""
    settings = torch.backends.cuda.matmul
    before, settings.allow_tf32 = settings.allow_tf32, False
    try:
        yield
    finally:
        settings.allow_tf32 = before


def send(value: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; the copy waits for nothing, and nothing waits for the copy."""
    if device.type == "cuda":
        value = value.pin_memory()
    return value.to(device, non_blocking=True)


def keep_memory() -> None:
    """Let the C library keep freed memory for the next tensors (glibc; elsewhere nothing happens).

    By default it hands every large block back to the kernel, which then fills the same pages with
    zeros again for each tensor of each step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**26)


def autocast(device: torch.device, bf16: bool | str, cache: bool = True) -> torch.autocast:
    """Autocast to bfloat16, or nothing.

    Args:
        bf16: True, False, or "auto": where the hardware multiplies bfloat16. Others emulate it,
            and are slower with it than without.
        cache: whether a weight that is used twice is cast once.
    """
    enabled = multiplies_bf16(device) if bf16 == "auto" else bool(bf16)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=cache)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))
