"""One teacher's training from artefacts to artefacts, in one process or under torchrun (4.2)."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lohrec.common import artefacts, devices, language_models, processes, unfinished
from lohrec.common.checkpoints import fingerprint
from lohrec.data.examples import read_examples
from lohrec.data.sequences import leaves_out
from lohrec.teacher import adaptation, memory_plan
from lohrec.teacher.codeword_learner import CodewordLearner
from lohrec.teacher.model import save_teacher
from lohrec.teacher.text_learner import TextLearner
from lohrec.teacher.text_tasks import read_templates
from lohrec.teacher.texts import read_texts
from lohrec.teacher.training import Learner, train_teacher


def run_training(
    inputs: dict[str, str],
    outputs: dict[str, str],
    settings: dict[str, Any],
    exclude_history: bool | str,
    fold: int | None,
    code: dict[str, Any],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Train a teacher and write it.

    Args:
        inputs: sequences, examples, ids, statistics; with words also catalogue, templates and
            perhaps user_texts and users.
        outputs: model, history.
        settings: the sections `teacher`, `adaptation`, `tasks` and `sharding`, by these names.
        exclude_history: whether lists on the dev set leave out the items of a history, or "auto".
        fold: leave this fold's users out of the training; None leaves out nobody.
        code: hashes of the program.
        cuda: GPUs of this step on each node.
        threads: CPU threads.
    """
    device = processes.join(devices.acquire(cuda, threads))
    section = settings["teacher"]
    kind = section["kind"]
    network = {"kind": kind, **section.get("network", {})}  # a pretrained one has its own shape
    groups = settings | {"network": network, "training": section["training"]}
    paths, ids = (inputs["sequences"], inputs["examples"]), np.load(inputs["ids"])
    train, dev = (read_examples(*paths, split) for split in ("train", "dev"))
    if fold is not None:
        train = train.without_fold(fold, settings["sharding"]["folds"])
    arrays = [ids, np.asarray(train.sequences), train.start, train.stop, dev.start, dev.stop]
    words: object = None
    if kind == "scratch":
        learner: Learner = CodewordLearner(train, ids, groups)
    else:
        texts = read_texts(inputs)
        templates = read_templates(inputs["templates"])
        words = [str(vars(texts)), Path(inputs["templates"]).read_text(encoding="utf-8")]
        learner = TextLearner(train, ids, groups, texts, templates)
        if kind == "pretrained":
            arrays += language_models.weights(settings["adaptation"]["model"])
    excluded = leaves_out(exclude_history, inputs["statistics"])
    made_of = fingerprint([settings, excluded, fold, code, words], *arrays)
    planned = memory_plan.of_network(learner.network, learner.planned)
    print(memory_plan.text(planned))
    memory_plan.require(planned, device, learner.remedy)
    if kind != "scratch":
        adaptation.check_architecture(learner.network.to(device))
    checkpoint = unfinished.beside(outputs["history"], "checkpoint")
    trained, table = train_teacher(learner, dev, excluded, device, checkpoint, made_of)
    if processes.rank() == 0:
        save_teacher(trained, Path(outputs["model"]).parent, learner.save_words)
        artefacts.write_parquet(outputs["history"], table)
    if processes.world() > 1:
        torch.distributed.destroy_process_group()


def start_training(
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    settings: dict[str, Any],
    exclude_history: bool | str,
    fold: int | None,
    code: dict[str, Any],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Like `run_training`, in as many processes as there are GPUs on all nodes."""
    given: list[Any] = [inputs, outputs, settings, exclude_history, fold, code, cuda, threads]
    count, nodes = max(1, cuda["count"]), cuda["nodes"]
    if count * nodes == 1:
        run_training(*given)
        return
    path = Path(outputs["history"]).with_name(".train_teacher.json")
    artefacts.write_json(path, given)
    try:
        processes.launch("lohrec.teacher.training_job", [str(path)], count, nodes, threads)
    finally:
        path.unlink()


if __name__ == "__main__":
    run_training(*json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
