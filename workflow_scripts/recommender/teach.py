"""Write what a fitted recommender teaches at the train targets: probabilities, or candidates."""

from typing import Any

import numpy as np
import torch

from lohrec.common import devices, job
from lohrec.common.artefacts import read_json
from lohrec.common.checkpoints import fingerprint
from lohrec.common.partial_array import PartialArray
from lohrec.data.examples import read_examples
from lohrec.data.sequences import leaves_out
from lohrec.identifiers import store
from lohrec.identifiers.codewords import CODES, LEVELS
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import lessons
from lohrec.recommender.recommender import Histories, Recommender


def main(
    models: list[str],
    sequences: str,
    examples: str,
    ids: str,
    statistics: str,
    taught: str,
    lesson: str,
    settings: dict[str, Any],
    batch_size: int,
    code: dict[str, str],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Write an array with a row for every train example; a run that was cut off goes on.

    Args:
        models: recommender.json in the folder of the recommender; of several, each teaches the
            users of its fold.
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        statistics: statistics.json of the dataset.
        taught: .npy to write: float16 (examples, 4, 256), or int16 (examples, beams, 4).
        lesson: "probabilities" along the true items (Eq. 12), or "beams", the best identifiers.
        settings: of the section `lessons` what the lesson depends on.
        batch_size: as many examples at once, or fewer where the teacher cannot take so many.
        code: hashes of the program.
        cuda: GPUs to use.
        threads: of the CPU.
    """
    device = devices.acquire(cuda, threads)
    train = read_examples(sequences, examples, "train")
    semantic = store.load_ids(ids)
    tree = PrefixTree.from_ids(semantic).to(device)
    target = torch.from_numpy(semantic[train.target])
    teacher, recommender = 0, Recommender.load(models[0], device)
    batch_size = recommender.at_once(batch_size)
    of_models = [read_json(model)["sha256"] for model in models]
    excluded = leaves_out(settings["exclude_history"], statistics)
    made_of = fingerprint(
        [lesson, settings, batch_size, excluded, code, of_models],
        *(semantic, train.sequences, train.start, train.stop),
    )

    if lesson == "probabilities":
        shape, dtype = (LEVELS, CODES), np.float16
    else:
        shape, dtype = (settings["beams"], LEVELS), np.int16
    parts = []
    for fold in range(len(models)):
        users = np.flatnonzero(train.user % len(models) == fold)
        order = users[np.argsort(train.length[users], kind="stable")]
        begin = range(0, len(order), batch_size)
        parts += [(fold, np.sort(order[low : low + batch_size])) for low in begin]
    with PartialArray(taught, (len(train), *shape), dtype, made_of) as out:
        for fold, rows in out.remaining(parts, f"teaching {lesson}"):
            if fold != teacher:
                teacher, recommender = fold, Recommender.load(models[fold], device)
            histories = Histories(train.histories(rows).astype(np.int64), train.length[rows])
            with devices.autocast(device, settings["bf16"]):
                own = lessons.own_leaves(histories, tree) if excluded else None
                steps = lessons.steps(recommender, histories, tree, own)
                if lesson == "probabilities":
                    along = target[rows].to(device)
                    found = lessons.probabilities(steps, along, tree)
                else:
                    found = lessons.candidates(steps, tree, settings["beams"], own)
            out.values[rows] = found.cpu().numpy()
        print(f"{len(train):,} examples in {out.seconds:.0f} s")
        out.finish()


if __name__ == "__main__":
    job.run(main, snakemake)
