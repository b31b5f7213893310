"""How often what a user chose next is near what came before, by each way to make text vectors.

python -m lohrec.benchmarks.text_vectors results/A results/B ... prints a table; the datasets differ
in their section `text` alone, and have text/embeddings.npy.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lohrec.data.examples import Examples, read_examples
from lohrec.evaluation import bootstrap, tables
from lohrec.identifiers import text_encoder
from lohrec.identifiers.text_vectors import unit

CUTOFF = 10
USERS = 10_000  # that are measured; of more, some are drawn
RESAMPLES = 1000
ROWS = 512  # users at once


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m lohrec.benchmarks.text_vectors")
    parser.description = __doc__
    parser.add_argument("datasets", metavar="DATASET", nargs="+", help="its folder")
    print(table([Path(name) for name in parser.parse_args().datasets]))


def table(datasets: Sequence[Path]) -> str:
    """Recall of the nearest items, with 95 % intervals over users, and its change from the first.

    Raises:
        ValueError: the datasets have other test users or items.
    """
    hits, rows = [], []
    for folder in datasets:
        test = read_examples(
            folder / "data/sequences.npy", folder / "data/examples.parquet", "test"
        )
        some = test.sample(USERS)
        vectors = unit(np.load(folder / "text/embeddings.npy"))
        hits.append(near(vectors, some))
        if hits[-1].shape != hits[0].shape:
            raise ValueError(f"{folder} and {datasets[0]} have other users; compare one dataset.")
        saved = text_encoder.load(folder / "ids" / text_encoder.FOLDER / text_encoder.TEXT)
        rows.append([folder.name, saved.settings["method"], f"{vectors.shape[1]}"])
    every = np.stack(hits, 1)  # (users, datasets)
    drawn = bootstrap.resampled_means(every, RESAMPLES, 0)
    low, high = bootstrap.interval(drawn - drawn[:, :1])
    for row, mean, change, *ends in zip(
        rows, every.mean(0), every.mean(0) - every[:, 0].mean(), low, high, strict=True
    ):
        row += [f"{mean:.4f}", "{:+.4f} ({:+.4f} to {:+.4f})".format(change, *ends)]
    rows[0][-1] = ""
    header = ["dataset", "text.method", "dimensions", f"Recall@{CUTOFF}", "change [95 %]"]
    return f"{len(every):,} test users\n\n{tables.markdown(header, rows)}"


def near(vectors: np.ndarray, examples: Examples) -> np.ndarray:
    """Whether the target is among the `CUTOFF` items nearest to the last one, float (examples,).

    Items of the history are left out; of equally near ones the first in the catalogue is nearer.

    Args:
        vectors: (items, dimensions), of length 1.
    """
    found = np.empty(len(examples))
    for low in range(0, len(examples), ROWS):
        rows = np.arange(low, min(low + ROWS, len(examples)))
        history = examples.histories(rows)
        last = history[np.arange(len(rows)), examples.length[rows] - 1]
        cosine = vectors[last] @ vectors.T
        target = examples.target[rows]
        user, place = np.nonzero(history >= 0)
        cosine[user, history[user, place]] = -np.inf
        own = cosine[np.arange(len(rows)), target][:, None]
        before = np.arange(len(vectors)) < target[:, None]
        nearer = (cosine > own) | ((cosine == own) & before)
        found[rows] = nearer.sum(1) < CUTOFF
    return found


if __name__ == "__main__":
    main()
