"""`lohrec recommend` on one thread and on two, beside transformers' `generate` with its weights.

python -m lohrec.benchmarks.recommend MODEL prints a table; MODEL has the network t5.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lohrec.benchmarks.transformers_t5 import Generate
from lohrec.common.artefacts import read_json
from lohrec.common.provenance import processor
from lohrec.data.catalogue import Catalogue
from lohrec.evaluation import tables
from lohrec.identifiers import store
from lohrec.identifiers.codewords import token_table
from lohrec.recommender.places import FILE, home
from lohrec.recommender.recommender import ITEMS

LENGTHS = (3, 20)  # items of a history
TOP = 10


class Spent(NamedTuple):
    """What a run took: seconds on the clock, of the processor, and most bytes it held."""

    wall: float
    processor: float
    memory: int


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m lohrec.benchmarks.recommend")
    parser.description = __doc__
    parser.add_argument("model", metavar="MODEL", help="the folder of a recommender")
    parser.add_argument("--users", type=int, default=10_000, help="of our lists (10000)")
    parser.add_argument("--rival", type=int, default=200, help="users of generate (200)")
    given = parser.parse_args()
    print(f"{processor()}; {given.users:,} users, {given.rival:,} of generate\n")
    print(table(home(given.model), given.users, given.rival))


def table(model: Path, users: int, rival: int) -> str:
    """Milliseconds a user after the start of the command, and what that is beside `generate`.

    Seconds on the clock count what else runs on the machine, those of the processor do not. The
    start is timed on one thread, with one user.

    Args:
        model: the folder of a recommender with the network t5.
        users: at least 100.
        rival: users of `generate`.
    """
    first, some = (ours(model, n, 1) for n in (1, users // 10))
    rows, peak = [], 0
    for threads in (1, 2):
        every = ours(model, users, threads)
        peak = max(peak, every.memory)
        theirs = generate(model, rival, threads)
        wall = (every.wall - first.wall) / (users - 1)
        busy = (every.processor - first.processor) / (users - 1)
        rows.append(
            [
                f"{threads}",
                f"{1 / wall:,.0f}",
                f"{1000 * wall:.2f} / {1000 * busy:.2f}",
                f"{1000 * theirs.wall:.1f} / {1000 * theirs.processor:.1f}",
                f"{theirs.wall / wall:.1f} / {theirs.processor / busy:.1f}",
            ]
        )
    header = [
        "threads", "users/s", "ms a user: clock / processor", "generate, ms a user", "ratio",
    ]  # fmt: skip
    return (
        f"{tables.markdown(header, rows)}\n\nThe start takes {first.wall:.1f} s. "
        f"Most memory: {some.memory / 1e6:,.0f} MB with {users // 10:,} users, "
        f"{peak / 1e6:,.0f} MB with {users:,}."
    )


def ours(model: Path, users: int, threads: int) -> Spent:
    """Run the command on drawn histories, in a process of its own."""
    names = Catalogue.load(model / ITEMS).names
    with tempfile.TemporaryDirectory() as folder:
        histories = Path(folder) / "histories.csv"
        with open(histories, "w", encoding="utf-8") as file:
            print("user,item", file=file)
            for user, items in enumerate(drawn(len(names), users)):
                for item in items:
                    name = names[item].replace('"', '""')
                    print(f'{user},"{name}"', file=file)
        command = [sys.executable, "-m", "lohrec", "recommend", "--model", str(model)]
        command += ["--histories", str(histories), "--output", f"{folder}/lists.csv"]
        command += ["--top", str(TOP), "--keep-history"]
        began = time.perf_counter()
        # A process begins with the peak of the one that starts it: a shell's is small.
        process = subprocess.Popen(
            ["sh", "-c", '"$@"; exit $?', "sh", *command],
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise ValueError(f"{' '.join(command)} ended with {process.returncode}.")
        seconds = used.ru_utime + used.ru_stime
        return Spent(time.perf_counter() - began, seconds, used.ru_maxrss * 1024)


def generate(model: Path, users: int, threads: int) -> Spent:
    """Decode drawn histories, those of one length at a time; the seconds are a user's."""
    ids = store.load(model)
    beams = max(read_json(model / FILE)["decoding"]["beams"], TOP)
    rival, table = Generate(model, ids), token_table(ids)
    histories = drawn(len(ids), users)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    began, busy = time.perf_counter(), time.process_time()
    for length in np.unique([len(items) for items in histories]):
        alike = np.stack([items for items in histories if len(items) == length])
        rival(torch.from_numpy(table[alike].reshape(len(alike), -1)), beams)
    spent = Spent((time.perf_counter() - began) / users, (time.process_time() - busy) / users, 0)
    torch.set_num_threads(before)
    return spent


def drawn(items: int, users: int) -> list[np.ndarray]:
    """Histories without repeats, item numbers."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(LENGTHS[0], LENGTHS[1] + 1, users)
    return [rng.choice(items, length, replace=False) for length in lengths]


if __name__ == "__main__":
    main()
