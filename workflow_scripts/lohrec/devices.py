"""The device a job runs on: what its rule declared, or a clear error."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def acquire(cuda: dict, threads: int) -> torch.device:
    """Return the device that the settings ask for and say what it is.

    Args:
        cuda: {"count": GPUs wanted, "memory_gb": memory wanted on each}; count 0 asks for the CPU.
        threads: CPU threads for torch.

    Raises:
        RuntimeError: CUDA is asked for, and there are fewer or smaller GPUs.
    """
    torch.set_num_threads(threads)
    if not cuda["count"]:
        keep_memory()
        print(f"device: CPU, {threads} thread(s)")
        return torch.device("cpu")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < cuda["count"]:
        raise RuntimeError(
            f"This step needs {cuda['count']} CUDA GPU(s) of {cuda['memory_gb']} GB and finds "
            f"{found} (torch {torch.__version__}, built for CUDA {torch.version.cuda}). Run it on "
            "a GPU machine (see profiles/slurm), or choose a dataset row with the laptop preset."
        )
    for index in range(cuda["count"]):
        device = torch.cuda.get_device_properties(index)
        size = device.total_memory / 1e9
        if size < cuda["memory_gb"]:
            raise RuntimeError(
                f"GPU {index} ({device.name}) has {size:.0f} GB; this step's settings ask for "
                f"{cuda['memory_gb']} GB. Lower cuda.*.memory_gb together with the batch size, "
                "or use a larger GPU."
            )
        print(f"device: GPU {index} {device.name}, {size:.0f} GB")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return torch.device("cuda", 0)


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
    if bf16 == "auto":
        bf16 = multiplies_bf16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16, cache_enabled=cache)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))
