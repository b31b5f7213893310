"""One teacher from artefacts to artefacts, in this process or under torchrun."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from lohrec.common import artefacts, devices, language_models, processes
from lohrec.common.checkpoints import fingerprint
from lohrec.data.examples import read_examples
from lohrec.teacher import adaptation, memory_plan, text_tasks, training_steps, user_folds
from lohrec.teacher import model as teacher
from lohrec.teacher import training as teacher_training
from lohrec.teacher.training import Task


def run(
    inputs: dict[str, str],
    outputs: dict[str, str],
    settings: dict[str, Any],
    fold: int | None,
    code: dict[str, Any],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Train a teacher and write it.

    Args:
        inputs: sequences, examples, ids; with words also catalogue, templates and perhaps
            user_texts and users.
        outputs: model, history.
        settings: the sections `teacher`, `adaptation`, `tasks` and `sharding`, by these names.
        fold: leave this fold's users out of the training; None leaves out nobody.
        code: hashes of the program.
        cuda: GPUs of this step.
        threads: CPU threads.
    """
    device = processes.join(devices.acquire(cuda, threads))
    section = settings["teacher"]
    kind = section["kind"]
    network = {"kind": kind, **section.get("network", {})}  # a pretrained one has its own shape
    groups = settings | {"network": network, "training": section["training"]}
    load = inputs["sequences"], inputs["examples"]
    train, dev, ids = (
        read_examples(*load, "train"),
        read_examples(*load, "dev"),
        np.load(inputs["ids"]),
    )
    if fold is not None:
        train = user_folds.others(train, fold, settings["sharding"]["folds"])
    arrays = [ids, np.asarray(train.sequences), train.start, train.stop, dev.start, dev.stop]
    said: object = None
    if kind == "scratch":
        taught: Task = training_steps.CodewordTask(train, ids, groups)
    else:
        texts = read_texts(inputs)
        templates = text_tasks.read_templates(inputs["templates"])
        said = [str(vars(texts)), Path(inputs["templates"]).read_text(encoding="utf-8")]
        taught = training_steps.TextTask(train, ids, groups, texts, templates)
        if kind == "pretrained":
            arrays += language_models.weights(settings["adaptation"]["model"])
    made_of = fingerprint([settings, fold, code, said], *arrays)
    planned = memory_plan.of_network(taught.network, taught.planned)
    print(memory_plan.text(planned))
    memory_plan.require(planned, device, taught.remedy)
    if kind != "scratch":
        adaptation.check_architecture(taught.network.to(device))
    history = Path(outputs["history"])
    checkpoint = history.with_name(".train_teacher.pt")
    trained, table = teacher_training.train(
        taught, dev, groups["training"], device, checkpoint, made_of
    )
    if processes.rank() == 0:
        teacher.save(trained, Path(outputs["model"]).parent, taught.beside)
        artefacts.write_parquet(history, table)
        checkpoint.unlink(missing_ok=True)
    if processes.world() > 1:
        torch.distributed.destroy_process_group()


def read_texts(inputs: dict[str, str]) -> text_tasks.Texts:
    """Texts of items and, where a file is given, of users.

    The file is JSON: {"preference": {user: [text, ...]}, "intention": {user: text}}, users by the
    names that the reviews have.

    Raises:
        ValueError: the file is of another form, or knows none of the users.
    """
    items = pq.read_table(inputs["catalogue"], columns=["title", "description"]).to_pydict()
    of_users: dict[str, dict[int, Any]] = {}
    if "user_texts" in inputs:
        path = inputs["user_texts"]
        said = artefacts.read_json(path)
        _check_user_texts(said, path)
        table = pq.read_table(inputs["users"]).to_pydict()
        number = dict(zip(map(str, table["reviewer"]), table["user"], strict=True))
        of_users = {
            task: {number[user]: text for user, text in by_user.items() if user in number}
            for task, by_user in said.items()
        }
        if not any(of_users.values()):
            raise ValueError(f"{path} knows none of the {len(number)} users of this set.")
    return text_tasks.Texts(items["title"], items["description"], **of_users)


def _check_user_texts(said: object, path: str) -> None:
    form = '{"preference": {user: [text, ...]}, "intention": {user: text}}'
    if not isinstance(said, dict) or not said.keys() <= {"preference", "intention"}:
        raise ValueError(f"{path} must read {form}.")
    for task, by_user in said.items():
        if not isinstance(by_user, dict):
            raise ValueError(f"{path}: {task} must map users to texts: {form}.")
        for user, text in by_user.items():
            texts = text if task == "preference" else [text]
            if not (isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts)):
                raise ValueError(f"{path}: {task} of user {user!r} is {text!r}; wanted: {form}.")


def start(
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    settings: dict[str, Any],
    fold: int | None,
    code: dict[str, Any],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Like `run`, in as many processes as there are GPUs."""
    given: list[Any] = [inputs, outputs, settings, fold, code, cuda, threads]
    if cuda["count"] <= 1:
        run(*given)
        return
    path = Path(outputs["history"]).with_name(".train_teacher.json")
    artefacts.write_json(path, given)
    processes.launch("lohrec.teacher.job", [str(path)], cuda["count"])
    path.unlink()


if __name__ == "__main__":
    run(*json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
