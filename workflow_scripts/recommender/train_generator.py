"""Train one row's lightweight recommender (Section 3)."""

from pathlib import Path

import numpy as np

from lohrec.common import devices, job_log
from lohrec.common.artefacts import write_parquet
from lohrec.data import examples
from lohrec.recommender import beam_items
from lohrec.recommender.networks.t5 import T5
from lohrec.recommender.training import train
from lohrec.recommender.training_data import TrainingData

# The losses' names in config/variants.yaml.
LOSSES = {"one_hot": "one_hot", "smoothed": "smoothed", "teacher": "distilled"}


def main(inputs, outputs, settings, decoding, seed, device, code) -> None:
    """Read the inputs that the row names, train, and write model and history."""
    causal = settings["causal_encoder"]
    train_split = examples.load(inputs["sequences"], inputs["examples"], "train")
    ids, labels = np.load(inputs["ids"]).astype(np.int64), None
    if "beams" in inputs:
        beams = np.load(inputs["beams"], mmap_mode="r")
        labels = beam_items.labels(beams, train_split.target, ids, settings["label"], seed)
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
    # All three groups are in one section.
    groups = (settings, settings, settings | {"target": LOSSES[settings["target"]]})
    model, history = train(data, dev, *groups, decoding, seed, device, start, checkpoint, code)
    model.save(folder)
    write_parquet(outputs["history"], history)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    with job_log.redirect(snakemake.log[0]):  # noqa: F821
        main(
            dict(snakemake.input.items()),  # noqa: F821
            dict(snakemake.output.items()),  # noqa: F821
            snakemake.params.generator,  # noqa: F821
            snakemake.params.decoding | {"batch_size": snakemake.params.batch_size},  # noqa: F821
            int(snakemake.wildcards.seed),  # noqa: F821
            devices.acquire(snakemake.params.cuda, snakemake.threads),  # noqa: F821
            snakemake.params.code,  # noqa: F821
        )
