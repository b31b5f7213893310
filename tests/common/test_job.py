import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT
from safetensors.numpy import save_file

from lohrec.common import artefacts, job, job_log
from lohrec.common.artefacts import damage, write_json, write_parquet


class Files(list):
    """Several files under one name, as Snakemake hands them over."""


JOB = SimpleNamespace(
    rule="train",
    input={"ids": "ids.npy", "shards": Files(["a.npy", "b.npy"])},
    output={"model": "model.safetensors"},
    params={"settings": {"epochs": 2}, "cuda": {"count": 0}},
    wildcards={"dataset": "007", "seed": "07", "fold": "1"},
    threads=3,
)


def test_everything_is_found_by_its_name():
    def main(
        model: str,
        ids: str,
        shards: list[str],
        settings: dict,
        dataset: str,
        seed: int,
        threads: int,
        fold: int | None = None,
        users: int = 1000,
    ) -> None: ...

    given = job.arguments(main, JOB)
    assert given == {
        "model": "model.safetensors",
        "ids": "ids.npy",
        "shards": ["a.npy", "b.npy"],
        "settings": {"epochs": 2},
        "dataset": "007",
        "seed": 7,
        "threads": 3,
        "fold": 1,
    }
    assert type(given["shards"]) is list


def test_inputs_and_outputs_are_all_that_have_a_name():
    def main(inputs: dict, outputs: dict) -> None: ...

    assert job.arguments(main, JOB) == {
        "inputs": {"ids": "ids.npy", "shards": ["a.npy", "b.npy"]},
        "outputs": {"model": "model.safetensors"},
    }


def test_a_name_with_two_values_is_refused():
    def main(model: str) -> None: ...

    twice = SimpleNamespace(**vars(JOB) | {"params": {"model": "llama"}})
    with pytest.raises(ValueError, match="Rule train declares 'model' twice"):
        job.arguments(main, twice)
    same = SimpleNamespace(**vars(JOB) | {"params": {"model": "model.safetensors"}})
    assert job.arguments(main, same) == {"model": "model.safetensors"}


def test_a_name_that_is_nowhere_is_refused():
    def main(ids: str, prior: str) -> None: ...

    with pytest.raises(ValueError, match="Rule train has no 'prior'"):
        job.arguments(main, JOB)


def test_the_log_has_what_main_prints(tmp_path):
    def main(ids: str) -> None:
        os.write(1, f"read {ids}\n".encode())  # as a native library does

    log = tmp_path / "logs" / "train.log"
    job.run(main, SimpleNamespace(**vars(JOB), log=[str(log)]))
    assert log.read_text() == "read ids.npy\n"
    assert list(log.parent.iterdir()) == [log]


@pytest.mark.parametrize("name", ["array.npy", "items.parquet", "index.json", "m.safetensors"])
def test_a_damaged_input_is_named(tmp_path, monkeypatch, name):
    path = tmp_path / name
    if name == "array.npy":
        np.save(path, np.arange(1000))
    elif name == "items.parquet":
        write_parquet(path, pa.table({"item": range(1000)}))
    elif name == "index.json":
        write_json(path, list(range(1000)))
    else:
        save_file({"weights": np.arange(1000.0)}, path)
    assert not damage(path)

    def main(ids: str) -> None:
        raise ValueError("no shape")

    files = {"ids": "ids.npy", "shards": Files(["a.txt", str(path)])}
    (tmp_path / "a.txt").touch()
    monkeypatch.chdir(tmp_path)
    np.save("ids.npy", np.arange(1000))
    given = SimpleNamespace(**vars(JOB) | {"input": files, "log": [tmp_path / "log"]})
    with pytest.raises(ValueError) as raised:
        job.run(main, given)
    assert not hasattr(raised.value, "__notes__")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError) as raised:
        job.run(main, given)
    (note,) = raised.value.__notes__
    assert note.startswith(f"{path} is damaged (") and "delete it" in note


def test_lines_of_json_are_not_damaged(tmp_path):
    (tmp_path / "shop.json").write_text('{"user": 1}\n{"user": 2}\n')
    assert not damage(tmp_path / "shop.json")
    (tmp_path / "shop.json").write_text('{"user": 1')
    assert damage(tmp_path / "shop.json")


def test_a_large_file_of_json_lines_is_not_read_to_tell_damage(tmp_path, monkeypatch):
    path = tmp_path / "shop.json"
    path.touch()
    os.truncate(path, artefacts.LOOKED_AT + 1)
    monkeypatch.setattr(artefacts, "read_json", lambda path: pytest.fail("it was read"))
    assert not damage(path)


def test_an_error_without_words_does_not_take_the_place_of_the_real_one(tmp_path, monkeypatch):
    def too_large(path):
        raise MemoryError

    write_json(tmp_path / "index.json", [1])
    monkeypatch.setattr(artefacts, "read_json", too_large)
    assert damage(tmp_path / "index.json") == "MemoryError"


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_the_log_of_a_restarted_job_goes_on(tmp_path, monkeypatch, links):
    fails = True

    def main(ids: str) -> None:
        os.write(1, b"reading\n")
        if fails:
            os.write(2, b"unreadable\n")
            raise ValueError

    if not links:
        monkeypatch.setattr(os, "link", lambda *_: os.stat("/nowhere"))
    log = tmp_path / "train.log"
    given = SimpleNamespace(**vars(JOB), log=[str(log)])
    for _ in range(2):
        with pytest.raises(ValueError):
            job.run(main, given)
        assert log.read_text().endswith("unreadable\n")
        log.unlink()  # as Snakemake does before each attempt
    fails = False
    job.run(main, given)
    said = log.read_text()
    assert list(tmp_path.iterdir()) == [log]
    if links:
        assert said.count("reading") == 3 and said.count("unreadable") == 2
        assert re.findall(r"^=+ attempt (\d), \d{4}-\d\d-\d\d", said, re.M) == ["2", "3"]
    else:
        assert said == "reading\n"
    job.run(main, given)  # a new run after one that ended well
    assert log.read_text() == "reading\n"


FAILS = """
from types import SimpleNamespace
from lohrec.common import artefacts, job

def main(model): artefacts.read_json(model)

job.run(main, SimpleNamespace(
    rule="train", input={"model": "broken.json"}, output={}, params={}, wildcards={}, threads=1,
    log=["train.log"],
))
"""


def test_the_log_ends_with_the_error_in_words_and_the_terminal_shows_these(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    command = [sys.executable, "-c", FAILS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    for progress in ("", "log"):
        environment["LOHREC_PROGRESS"] = progress
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        traceback, *_, said = (tmp_path / "train.log").read_text().split("ERROR: ")
        assert done.returncode == 1 and done.stdout == ""
        assert traceback.startswith("Traceback") and said.startswith("broken.json is no JSON")
        assert done.stderr == ("" if progress else f"ERROR: {said}")


def test_what_nobody_foresaw_has_its_place(tmp_path):
    with pytest.raises(KeyError) as caught:
        job.arguments(lambda model: None, SimpleNamespace(**{}, input=Broken()))
    what, where, *_ = job_log.message(caught.value).splitlines()
    assert what == "KeyError: 'no item 7'"
    assert re.match(r".*common/job\.py, line \d+: ", where)
    with pytest.raises(FileNotFoundError) as missing:
        (tmp_path / "none").read_text()
    assert str(tmp_path / "none") in job_log.message(missing.value)


class Broken:
    def items(self):
        raise KeyError("no item 7")
