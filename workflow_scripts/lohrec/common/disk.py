"""Room on disk: taken before it is needed, and named where there is none."""

import errno
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

FULL = (errno.ENOSPC, errno.EDQUOT)
# File systems that reserve nothing, or have no way to put the names in a folder on the disk.
CANNOT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
NOTHING = 2**20  # bytes; a disk with less is full


class DiskFull(OSError):
    """There is no room; the message has the path, what it needs and what is free."""

    def __init__(self, path: str | Path, needed: int | None, there: int) -> None:
        needs = "more than there is" if needed is None else _size(needed)
        super().__init__(
            errno.ENOSPC,
            f"The disk is full: {path} needs {needs}, {_size(there)} are free. Make room, or link "
            "the folder to another disk, and start again; what is done is kept.",
        )


def free(path: str | Path) -> int:
    """Bytes that are free where `path` is, or will be."""
    place = Path(path).absolute()
    return shutil.disk_usage(next(p for p in (place, *place.parents) if p.exists())).free


def require(path: str | Path, needed: int, what: str) -> None:
    """Say how much disk something will take.

    Raises:
        DiskFull: there is less.
    """
    there = free(path)
    print(f"{what} takes {_size(needed)} of disk; {_size(there)} are free", flush=True)
    if there < needed:
        raise DiskFull(path, needed, there)


def new_array(path: str | Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap:
    """A memory-mapped .npy file of zeros whose room on disk is its own.

    Without that, a write into the map of a full disk ends the process by SIGBUS, without a word.

    Raises:
        DiskFull: there is no room.
    """
    needed = np.dtype(dtype).itemsize * math.prod(shape)
    require(path, needed, str(path))
    there = free(path)
    values: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            except OSError as error:
                if error.errno in FULL:
                    raise DiskFull(path, needed, there) from error
                if error.errno not in CANNOT:
                    raise
    return values


def sync(path: str | Path) -> None:
    """Have a file, or the names in a folder, on the disk itself: a power cut takes nothing away.

    Shared folders of virtual machines and some network file systems cannot do so with names, which
    is no reason to fail after the file is there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT or not Path(path).is_dir():
            raise
    finally:
        os.close(descriptor)


def ran_out(path: str | Path, error: Exception) -> DiskFull | None:
    """An error that says so, where a writer failed because the disk is full; None elsewhere.

    Libraries word that in ways of their own, some without the path.
    """
    there = free(path)
    if isinstance(error, DiskFull):  # which says more
        return None
    if getattr(error, "errno", None) not in FULL and there >= NOTHING:
        return None
    return DiskFull(path, None, there)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
