"""The way from review lines to examples: time, memory, and how both grow."""

import math
import multiprocessing
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lohrec.benchmarks import clock
from lohrec.data.interactions import core, drop_repeats, renumber
from lohrec.data.sequences import leave_one_out
from lohrec.data.sources.amazon2018 import read_reviews

FAR = 100_000_000  # lines to extrapolate to, from the last two sizes
LINE = '{{"reviewerID": "A{:09d}", "asin": "B{:09d}", "overall": 5.0, "unixReviewTime": {}}}\n'


def measure(path: str, settings: dict[str, Any]) -> None:
    """Simulate and read files of growing size, each in another process."""
    rows, seconds = [], {}
    for lines in settings["lines"]:
        with tempfile.TemporaryDirectory() as folder:
            reviews = Path(folder) / "reviews.json"
            write_lines(reviews, lines)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds[lines], memory, examples = pool.apply(ingest, (str(reviews),))
        rows.append(clock.row(f"{lines:,} lines to examples", "", seconds[lines]))
        rows[-1]["examples"] = examples
        rows.append(clock.row(f"{lines:,} lines, peak memory", "", memory / 2**30, unit="GiB"))
    for small, large in pairwise(settings["lines"]):
        slope = math.log(seconds[large] / seconds[small]) / math.log(large / small)
        name = f"growth from {small:,} to {large:,} lines"
        rows.append(clock.row(name, "", slope, unit="exponent of time"))
    # The cost of a further line, free of what every run pays once.
    whole = seconds[large] + (FAR - large) * (seconds[large] - seconds[small]) / (large - small)
    rows.append(clock.row(f"{FAR:,} lines, extrapolated", "", whole))
    clock.write(path, rows)


def write_lines(path: Path, lines: int) -> None:
    """Simulated reviews: 9 a user, items drawn with a heavy head, in random order."""
    rng = np.random.default_rng(0)
    items = max(10, lines // 30)
    with open(path, "w") as file:
        for start in range(0, lines, 100_000):
            n = min(100_000, lines - start)
            user = rng.integers(0, max(1, lines // 9), n).tolist()
            item = (items * rng.random(n) ** 2).astype(int).tolist()
            day = rng.integers(1_000_000_000, 1_500_000_000, n).tolist()
            file.writelines(map(LINE.format, user, item, day))


def ingest(path: str) -> tuple[float, int, int]:
    """Seconds of processor time, peak memory in bytes, and examples."""
    began = time.process_time()
    reviews, _ = read_reviews(path)
    kept, _ = core(drop_repeats(reviews), 5)
    examples = leave_one_out(renumber(kept).user, 20)
    return time.process_time() - began, clock.peak_memory(), len(examples)
