"""How long SASRec takes to the same NDCG@10 on the dev set, here and in RecBole's own program.

python -m lohrec.benchmarks.race DATA, where DATA is results/DATASET/data, trains three networks one
after another, on as many threads each: `sasrec` as its row has it, `sasrec (bert)` with the block
of RecBole's network, and RecBole's SASRec (Zhao et al., 2021). Each measures all dev users after
each epoch by the rank of their target among all items, their own items among them.

Two programs are compared at the highest figure that both reach, by the seconds to the first epoch
that reaches it, evaluations included, reading the data left out. RecBole stops after 10 epochs
without a better one, which is its default, when it is past all of ours, or when its time is up.
After each of its epochs all is written.
"""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from lohrec.common import devices
from lohrec.common.artefacts import write_json, write_text
from lohrec.common.provenance import processor
from lohrec.configuration.sections import defaults, overlaid, tree
from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import Examples, read_examples
from lohrec.evaluation import tables
from lohrec.recommender.baselines.sasrec import SASRec
from lohrec.recommender.inputs import Inputs

SCRIPT = Path(__file__).with_name("race_recbole.py")
OURS: dict[str, dict[str, Any]] = {"sasrec": {}, "sasrec (bert)": {"block": "bert"}}
THEIRS = "RecBole"
Curve = list[dict[str, float]]  # after each epoch: seconds, processor (its seconds), ndcg


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m lohrec.benchmarks.race", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", metavar="DATA", type=Path, help="results/DATASET/data")
    parser.add_argument("--threads", type=int, default=2, help="of each program (2)")
    parser.add_argument("--minutes", type=float, default=120, help="most that RecBole gets (120)")
    parser.add_argument("--recbole", type=Path, default=Path(".recbole/bin/python"),
                        help="a Python that has RecBole (.recbole/bin/python)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/race"),
                        help="written: OUTPUT.json and OUTPUT.md")  # fmt: skip
    given = parser.parse_args()
    try:
        race(given.data, given.recbole, given.threads, given.minutes, given.output)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    print(given.output.with_suffix(".md").read_text(encoding="utf-8"))


def race(data: Path, recbole: Path, threads: int, minutes: float, output: Path) -> None:
    """Train all, and write the curves and the table.

    Raises:
        FileNotFoundError: there is no such Python, or no data.
        ValueError: RecBole failed, or made something else of the data.
    """
    if not recbole.exists():
        raise FileNotFoundError(f"There is no {recbole}. Make it: make recbole")
    split = {
        name: read_examples(data / "sequences.npy", data / "examples.parquet", name)
        for name in ("train", "dev", "test")
    }
    catalogue = Catalogue.of(data / "items.parquet", split["train"])
    longest = int(max(examples.length.max() for examples in split.values()))
    kept = {"exclude_history": False}  # as RecBole does
    inputs = Inputs(split["train"], split["dev"], catalogue, longest, decoding=kept)
    base = settings(len(split["dev"]))
    asked = recbole_settings(base, longest)
    curves: dict[str, Curve] = {}

    def save() -> None:
        machine = {"device": processor(), "threads": threads, "data": str(data)}
        write_json(output.with_suffix(".json"), machine | {"recbole": asked, "curves": curves})
        text = f"{processor()}, {threads} thread(s) each\n\n{table(curves)}"
        write_text(output.with_suffix(".md"), text)

    for name, changed in OURS.items():
        curves[name] = ours(inputs, overlaid(base, changed), threads)
        save()
    best = max(point["ndcg"] for curve in curves.values() for point in curve)
    expected = {"users": len(split["dev"]), "items": len(catalogue), "threads": threads}
    expected |= {name: len(split[name]) for name in ("train", "dev")}
    curves[THEIRS] = []
    with closing(theirs(split["test"], asked, recbole, threads, minutes)) as lines:
        if (counts := next(lines, expected)) != expected:
            raise ValueError(f"RecBole reads {data} as {counts}, and here it is {expected}.")
        for point in lines:
            print(f"{THEIRS}: " + ", ".join(f"{k} {v:.4g}" for k, v in point.items()), flush=True)
            curves[THEIRS].append(point)
            save()
            if point["ndcg"] > best:
                break


def settings(dev_users: int) -> dict[str, Any]:
    """Those of the row `sasrec`, measured on all dev users after each epoch of all its epochs."""
    given = defaults(tree()["recommenders"]["sasrec"])
    epochs = given["training"]["epochs"]
    measured = {"evaluations": epochs, "patience": epochs, "dev_users": dev_users}
    return overlaid(given, {"training": measured})


def recbole_settings(ours: Mapping[str, Any], history: int) -> dict[str, Any]:
    """RecBole's: its network as large as ours; batches, optimiser and stopping are its defaults."""
    return {
        "n_layers": ours["layers"],
        "n_heads": ours["heads"],
        "hidden_size": ours["width"],
        "inner_size": 4 * ours["width"],
        "hidden_dropout_prob": ours["dropout"],
        "attn_dropout_prob": ours["dropout"],
        "MAX_ITEM_LIST_LENGTH": history,
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
        "metrics": ["NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "metric_decimal_place": 8,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "data_path": ".",
        "use_gpu": False,
        "state": "ERROR",
    }


def ours(inputs: Inputs, settings: Mapping[str, Any], threads: int) -> Curve:
    """Train here; the processor's seconds are spread over the run as its seconds are."""
    devices.acquire({"count": 0}, threads)
    began, busy = time.perf_counter(), time.process_time()
    curve = SASRec.fit(inputs, dict(settings), 0).curve
    cores = (time.process_time() - busy) / (time.perf_counter() - began)
    return [
        {
            "epoch": float(number),
            "seconds": row["seconds"],
            "processor": cores * row["seconds"],
            "ndcg": row["dev_ndcg@10"],
        }
        for number, row in enumerate(curve or [], start=1)
    ]


def theirs(
    test: Examples, asked: Mapping[str, Any], recbole: Path, threads: int, minutes: float
) -> Generator[dict[str, float], None, None]:
    """What RecBole makes of the data, then its figures after each epoch.

    Args:
        test: examples, whose targets end the users' sequences.

    Raises:
        ValueError: it failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_task(folder, test, asked)
        log = folder / "log.txt"
        with (
            log.open("w") as errors,
            subprocess.Popen(
                [recbole.absolute(), SCRIPT],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": str(threads)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            end = time.monotonic() + 60 * minutes
            timer = threading.Timer(60 * minutes, process.kill)
            timer.start()
            try:
                assert process.stdout is not None
                yield from map(json.loads, process.stdout)
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
        if process.returncode and time.monotonic() < end:
            said = "\n".join(log.read_text().splitlines()[-3:])
            raise ValueError(f"RecBole ended with {process.returncode}:\n{said}")


def write_task(folder: Path, test: Examples, asked: Mapping[str, Any]) -> None:
    """Write RecBole's settings, and all sequences as its atomic file."""
    user = np.repeat(test.user, np.diff(test.stop, prepend=-1))
    (folder / "race").mkdir()
    with open(folder / "race/race.inter", "w", encoding="utf-8") as file:
        print("user_id:token\titem_id:token\ttimestamp:float", file=file)
        for place, (one, item) in enumerate(zip(user, test.sequences, strict=True)):
            print(one, item, place, sep="\t", file=file)
    write_json(folder / "settings.json", asked)


def table(curves: Mapping[str, Curve]) -> str:
    """A row for each program; of ours, with what it is against RecBole."""
    rows = []
    for name, curve in curves.items():
        if not curve:
            continue
        last, best = curve[-1], max(point["ndcg"] for point in curve)
        row = [name, f"{len(curve)}", f"{best:.4f}", f"{last['seconds']:,.0f}"]
        row.append(f"{last['processor'] / last['seconds']:.2f}")
        rival = curves.get(THEIRS)
        if rival and name != THEIRS:
            level = min(best, max(point["ndcg"] for point in rival))
            one, other = first(curve, level), first(rival, level)
            row += [f"{level:.4f}", f"{one:,.0f}", f"{other:,.0f}", f"{other / one:.1f}"]
        rows.append(row + [""] * (9 - len(row)))
    header = [
        "program", "epochs", "best dev NDCG@10", "seconds", "cores in use",
        "NDCG@10 that both reach", "seconds to it", "RecBole's", "ratio",
    ]  # fmt: skip
    return tables.markdown(header, rows)


def first(curve: Curve, level: float) -> float:
    """Seconds to the first epoch that reaches a level."""
    return next(point["seconds"] for point in curve if point["ndcg"] >= level)


if __name__ == "__main__":
    main()
