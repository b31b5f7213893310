"""What a job asks of its machine: memory, minutes and disk, from files, network and data.

A first try asks a cluster for what is computed here, each further one for twice as much.
"""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lohrec.benchmarks import arithmetic
from lohrec.identifiers.codewords import CODES, LEVELS, normalised
from lohrec.teacher import memory_plan

# Bytes of Python with PyTorch and the arrays of a small step; of CUDA; and of a training's batches.
PROCESS, CUDA, BATCHES = 1.5e9, 3e9, 1.5e9
# What a file's bytes become in memory: weights may be widened, a table unfolds. Arrays are mapped:
# no more than MAPPED stays.
WEIGHTS, TABLE, MAPPED = 2, 10, 4e9
# Of a text model on the hub, as large as the paper's until it is fetched: parameters, width.
TEXT_MODEL, TEXT_WIDTH = 7e9, 4096
# Bytes of a batch of users' distributions over all items.
DISTRIBUTIONS = 8e9
# Minutes that any job may take, and operations a second that a slow machine sustains: of a thread,
# and of a GPU.
LEAST_MINUTES, THREAD, GPU = 120, 2e10, 2e13
# Operations of an ensemble for an example's probability of an item, as seven members took on a CPU;
# and steps without ranking that one with it costs (docs/performance.md).
MIXED, RANKED = 1e4, 3
# Bytes of a parameter in the file of a network, and in its checkpoint, which stays until the run
# has ended: the latest weights, the best ones, their average, two moments of the optimiser.
WEIGHT, CHECKPOINT = 4, 20
# Bytes of a pair of items while EASE inverts their matrix.
INVERSE = 12.0
# Bytes of a place in a list: with score and user, in both kinds of lists, packed.
PLACE = 10


def megabytes(files: Iterable[str], network: float, gpus: int, attempt: int) -> int:
    """Memory of a job on its machine, in MB.

    Args:
        files: what the job reads; a file that is not there yet counts nothing.
        network: bytes of what it trains.
        gpus: of the job on this machine; each has a process of its own.
        attempt: 1, and one more for each retry.
    """
    factors = {".npy": 1, ".safetensors": WEIGHTS, ".bin": WEIGHTS}
    sizes = {path: os.path.getsize(path) for path in set(files) if os.path.isfile(path)}
    arrays = sum(size for path, size in sizes.items() if path.endswith(".npy"))
    suffix = {path: os.path.splitext(path)[1] for path in sizes}
    data: float = sum(factors.get(suffix[path], TABLE) * size for path, size in sizes.items())
    data -= max(0, arrays - MAPPED)
    whole = PROCESS + (CUDA if gpus else 0) + network + data
    # In steps, so that jobs that differ by little ask for the same.
    return int(100 * math.ceil(max(1, gpus) * whole / 1e8) * 2 ** (attempt - 1))


def minutes(operations: float, threads: int, gpus: int, attempt: int) -> int:
    """Time limit of a job.

    Args:
        operations: floating-point operations, as far as they are known.
        threads: CPU threads of the job, on all nodes.
        gpus: of the job, on all nodes.
        attempt: 1, and one more for each retry.
    """
    speed = gpus * GPU or threads * THREAD
    return int((LEAST_MINUTES + math.ceil(operations / speed / 60)) * 2 ** (attempt - 1))


def network(
    step: str,
    settings: dict[str, Any],
    gpus: int,
    checked: Mapping[str, Any],
    recommender: str = "",
    items: int = 0,
) -> float:
    """Bytes of a step's network on its machine, beside those on a GPU.

    Args:
        step: a rule.
        settings: of the dataset.
        gpus: of the job.
        checked: what `check_language_model` reported; nothing before it ran.
        recommender: of the row, for a fit.
        items: of the dataset; 0 before its statistics are known.
    """
    text = settings["text"]
    if step == "embed_items" and text["method"] == "llama" and not Path(text["model"]).exists():
        return WEIGHTS * 2 * TEXT_MODEL
    if step == "fit" and recommender == "ease":
        return BATCHES + INVERSE * items**2
    if step in ("fit", "recommend", "teach"):
        return DISTRIBUTIONS if step == "teach" else BATCHES
    teacher = _teacher(settings, checked)
    if step == "train_teacher":
        return sum(size for part, size in teacher.items() if part in memory_plan.KEPT or not gpus)
    if step in ("generate_candidates", "score_codewords", "recommend_teacher"):
        weights = ("frozen weights", "learned weights")
        return BATCHES + sum(teacher.get(part, 0.0) for part in weights)
    return 0.0


def operations(
    step: str,
    settings: dict[str, Any],
    row: Mapping[str, Any],
    data: Mapping[str, int],
    checked: Mapping[str, Any],
) -> float:
    """Floating-point operations of a step: 2 a parameter and token, 6 where it learns.

    Args:
        step: a rule.
        settings: of the dataset; of the row for a fit or lists.
        row: of variants, for a fit, lists, or lessons.
        data: the dataset's statistics; without them nothing is known, and it is 0.
        checked: what `check_language_model` reported; nothing before it ran.
    """
    if not data:
        return 0.0
    places, text = LEVELS * settings["ingest"]["history"], settings["text"]
    if step == "embed_items" and text["method"] == "llama":
        return float(2 * TEXT_MODEL * text["max_tokens"] * data["items"])
    if step == "train_rqvae":
        widths = [text["dimensions"], *settings["rqvae"]["network"]["hidden"]]
        epochs = settings["rqvae"]["training"]["epochs"]
        return float(arithmetic.autoencoder_step(widths) * data["items"] * epochs)
    if step == "fit":
        return _fitting(settings, row, data)
    if step == "recommend":
        return _listing(settings, row, data)
    if step == "teach":
        return MIXED * data["train"] * data["items"]
    tokens = {
        "train_teacher": 3 * settings["teacher"]["training"]["epochs"] * (places + LEVELS),
        "generate_candidates": places + LEVELS * settings["candidates"]["beams"],
        "score_codewords": places + LEVELS,
        "recommend_teacher": places + LEVELS * settings["decoding"]["beams"],
    }.get(step, 0)
    read = data["dev"] + data["test"] if step == "recommend_teacher" else data["train"]
    parameters = memory_plan.parameters(settings) or checked.get("parameters", 0)
    return float(2 * parameters * tokens * read)


def written(
    step: str,
    what: str,
    settings: dict[str, Any],
    row: Mapping[str, Any],
    data: Mapping[str, int],
    checked: Mapping[str, Any],
) -> float:
    """Bytes that a job writes and keeps until the run has ended, where they grow with the data.

    Args:
        step: a rule.
        what: it writes, of a rule for several arrays.
        settings: of the dataset; of the row for a fit.
        row: of variants, for a fit or a study.
        data: the dataset's statistics.
        checked: what `check_language_model` reported; nothing before it ran.
    """
    examples, items, parts = data["train"], data["items"], settings["sharding"]
    share = examples / (parts["folds"] * parts["shards"])
    scored = 2 * LEVELS * normalised(settings["probabilities"]["codewords"])
    beams = 2 * LEVELS * settings["candidates"]["beams"]
    ordered = 4 * examples * settings["candidates"]["keep"]
    text, teacher = settings["text"], _teacher(settings, checked)
    # Of LLaMA titles and descriptions, too.
    width = 3 * TEXT_WIDTH if text["method"] == "llama" else text["dimensions"]
    learned = 2 * teacher.get("learned weights", 0.0)
    taught = learned + sum(size for part, size in teacher.items() if part in memory_plan.KEPT)
    fitted = _fitted(settings, row, items) if row else 0.0
    every = {
        "embed_items": 4 * items * width,
        "train_teacher": taught,
        "train_fold_teacher": taught,
        "score_codewords": share * scored,
        "generate_candidates": share * beams,
        "gather_shards probabilities": examples * scored,
        "gather_shards beams": examples * beams,
        "teach probabilities": 2 * examples * LEVELS * CODES,
        "teach beams": 2 * examples * LEVELS * settings["lessons"]["beams"],
        "order_candidates": ordered,
        "order_taught_candidates": ordered,
        "fit": fitted,
        "fit_fold": fitted,
        "search_ranges": fitted,  # one trial's checkpoint at a time
        "recommend": PLACE * (data["dev"] + data["test"]) * settings["decoding"]["top"],
    }
    return float(every.get(f"{step} {what}".strip(), 0))


def _fitting(settings: dict[str, Any], row: Mapping[str, Any], data: Mapping[str, int]) -> float:
    """Operations of a fit; 0 where nothing is trained."""
    if row["recommender"] == "ease":
        return 2.0 * data["items"] ** 3  # of a matrix's inverse
    each: float = 6 * _learned(settings, row, data["items"])
    if row["recommender"] == "generative":
        epochs = settings["training"]["warm_epochs" if row.get("start_from") else "epochs"]
        if row["network"] == "t5":
            places = LEVELS * settings["ingest"]["history"]
            each = arithmetic.training_step(settings["networks"]["t5"], [1] * LEVELS, places)
        each *= RANKED if row["ranking"] else 1
    else:
        own = settings["recommenders"].get(row["recommender"], {})
        # An epoch of S3-Rec's pretraining, too, reads all examples.
        epochs = own.get("training", {}).get("epochs", 0) + own.get("before", 0)
    return float(each * data["train"] * epochs)


def _listing(settings: dict[str, Any], row: Mapping[str, Any], data: Mapping[str, int]) -> float:
    """Operations of the lists of all users, of both kinds."""
    users, beams = data["dev"] + 2 * data["test"], settings["decoding"]["beams"]
    if row["recommender"] == "ensemble":
        return MIXED * users * data["items"]
    each: float = 2 * _learned(settings, row, data["items"])
    if row["recommender"] == "cascade" or row.get("network") == "t5":
        config, places = settings["networks"]["t5"], LEVELS * settings["ingest"]["history"]
        each = arithmetic.encoding(config, places)
        each += arithmetic.decoding(config, [beams] * LEVELS, places)
    elif row["recommender"] == "generative":
        each *= beams
    return users * each


def _fitted(settings: dict[str, Any], row: Mapping[str, Any], items: int) -> float:
    """Bytes that a fit leaves."""
    if row["recommender"] == "ease":
        return 2.0 * items**2
    return float((WEIGHT + CHECKPOINT) * _learned(settings, row, items))


def _learned(settings: dict[str, Any], row: Mapping[str, Any], items: int) -> int:
    """Parameters that a row trains, about."""
    if row["recommender"] == "generative":
        of_network = settings["networks"][row["network"]]
        return arithmetic.parameters(row["network"], of_network, items)
    return int(items * settings["recommenders"].get(row["recommender"], {}).get("width", 0))


def _teacher(settings: dict[str, Any], checked: Mapping[str, Any]) -> dict[str, float]:
    """The memory plan of a teacher's training."""
    return memory_plan.of_settings(settings) or {
        part: size * memory_plan.GB for part, size in checked.get("memory_plan_gb", {}).items()
    }
