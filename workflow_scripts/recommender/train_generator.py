"""Train one row's lightweight recommender (Section 3)."""

from pathlib import Path

import numpy as np

from lohrec.common import devices, job
from lohrec.common.artefacts import write_parquet
from lohrec.data import examples
from lohrec.recommender import beam_items
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training import train
from lohrec.recommender.training_data import TrainingData


def main(
    inputs: dict[str, str],
    outputs: dict[str, str],
    network: dict,
    training: dict,
    objective: dict,
    decoding: dict,
    batch_size: int,
    seed: int,
    code: dict,
    cuda: dict,
    threads: int,
) -> None:
    """Read the inputs that the row names, train, and write model and history."""
    device, decoding = devices.acquire(cuda, threads), decoding | {"batch_size": batch_size}
    causal = network["causal_encoder"]
    train_split = examples.load(inputs["sequences"], inputs["examples"], "train")
    ids, labels = np.load(inputs["ids"]).astype(np.int64), None
    if "beams" in inputs:
        beams = np.load(inputs["beams"], mmap_mode="r")
        which = objective["learns"].removeprefix("teacher_")
        labels = beam_items.labels(beams, train_split.target, ids, which, seed)
    data = TrainingData(
        train_split.aligned() if causal else train_split,
        ids,
        np.load(inputs["prior"], mmap_mode="r") if "prior" in inputs else None,
        np.load(inputs["teacher"], mmap_mode="r") if "teacher" in inputs else None,
        shared=causal,
        labels=labels,
    )
    dev = examples.load(inputs["sequences"], inputs["examples"], "dev")
    start = T5.load(Path(inputs["start"]).parent) if "start" in inputs else None
    folder = Path(outputs["model"]).parent
    checkpoint = folder / "checkpoint.pt"
    settings = network | training | _flat(objective)
    model, history = train(data, dev, settings, decoding, seed, device, start, checkpoint, code)
    model.save(folder)
    write_parquet(outputs["history"], history)
    checkpoint.unlink(missing_ok=True)


def _flat(objective: dict) -> dict:
    """Weights and losses as `train` takes them."""
    target = "teacher" if objective["loss"] == "distilled" else objective["loss"]
    values = {"target": target, "rank": objective["ranking"]}
    for of_loss in objective["losses"].values():
        values |= of_loss
    return objective | values


if __name__ == "__main__":
    job.run(main, snakemake)
