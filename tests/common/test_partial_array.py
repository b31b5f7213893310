"""Arrays that are filled part by part, killed, and filled by two."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lohrec.common import partial_array, unfinished, writers
from lohrec.common.artefacts import read_json, write_json
from lohrec.common.partial_array import PartialArray

# A process that fills an array of ten parts, and says so; at one it may wait for a line.
FILLS = """
import sys
import numpy as np
from lohrec.common import partial_array, writers
from lohrec.common.partial_array import PartialArray

writers.BEAT_SECONDS, partial_array.MARK_SECONDS = 0.2, -1
path, waits = sys.argv[1], int(sys.argv[2])
with PartialArray(path, (10,), np.int16, "a") as array:
    for part in array.remaining(range(10), "filling"):
        array.values[part] = part + 1
        print("part", part, flush=True)
        if part == waits:
            sys.stdin.readline()
    array.finish()
"""


def fills(path, waits: int = -1) -> subprocess.Popen:
    command = [sys.executable, "-c", FILLS, str(path), str(waits)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def wait_for(process: subprocess.Popen, line: str) -> None:
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(process.stderr.read())


@pytest.fixture
def fill(tmp_path, monkeypatch):
    # A clock that goes on by a second a part: every second part is marked.
    monkeypatch.setattr(partial_array, "MARK_SECONDS", 1)
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr(partial_array, "time", clock)
    parts = np.array_split(np.arange(10), 5)

    def fill(cut: int | None, fingerprint: str) -> list[int]:
        filled = []
        with PartialArray(tmp_path / "values.npy", (10,), np.int16, fingerprint) as array:
            for number, part in enumerate(array.remaining(parts, "filling")):
                if number == cut:
                    return filled
                array.values[part] = part + 1
                filled += part.tolist()
            array.finish()
        return filled

    return fill


def test_a_partial_array_goes_on_where_it_was_cut_off(fill, tmp_path):
    path = tmp_path / "values.npy"
    assert fill(3, "a") == list(range(6))
    assert not path.exists()
    assert fill(None, "b") == list(range(10))  # other inputs: from the beginning
    path.unlink()
    assert fill(3, "a") == list(range(6))
    assert fill(None, "a") == list(range(4, 10))  # what was marked as done stays
    assert np.load(path).tolist() == list(range(1, 11))


def test_nothing_is_lost_until_the_output_is_recorded(fill, tmp_path):
    path = tmp_path / "values.npy"
    fill(None, "a")
    path.unlink()  # as Snakemake does to an output that a killed job left
    assert fill(None, "a") == []
    assert np.load(path).tolist() == list(range(1, 11))
    assert fill(1, "b") == [0, 1]  # begun anew in a file of its own
    assert np.load(path).tolist() == list(range(1, 11))
    unfinished.remove([path])
    assert [p.name for p in tmp_path.iterdir()] == ["values.npy"]


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.booleans()), max_size=6),
    st.sampled_from("ab"),
)
def test_however_runs_are_cut_and_inputs_change_the_rows_are_the_last_inputs(cut_runs, last):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "values.npy"
        for inputs, most, marks in [*cut_runs, (last, 7, True)]:
            patch.setattr(partial_array, "MARK_SECONDS", -1 if marks else 1000)
            with PartialArray(path, (6,), np.int16, inputs) as array:
                for part in array.remaining(range(6), "filling"):
                    if part >= most:
                        break
                    array.values[part] = ord(inputs) + part
                else:
                    array.finish()
        assert np.load(path).tolist() == [ord(last) + part for part in range(6)]


@pytest.mark.parametrize("damaged", ["partial", "partial.json"])
def test_a_damaged_array_is_begun_anew(fill, tmp_path, damaged):
    assert fill(3, "a") == list(range(6))
    path = unfinished.beside(tmp_path / "values.npy", damaged)
    os.truncate(path, path.stat().st_size - 3)
    assert fill(None, "a") == list(range(10))
    assert np.load(tmp_path / "values.npy").tolist() == list(range(1, 11))


def test_two_processes_do_not_fill_one_array(tmp_path):
    path = tmp_path / "values.npy"
    first = fills(path, waits=0)
    wait_for(first, "part 0")
    second = fills(path)
    said = second.communicate(timeout=100)[1]
    assert second.returncode == 1
    assert f"values.npy is being written by process {first.pid} on {writers.HOST} since" in said
    said = first.communicate("go on\n", timeout=100)[1]
    assert first.returncode == 0, said
    assert np.load(path).tolist() == list(range(1, 11))  # and not the second one's zeros


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    path = tmp_path / "values.npy"
    first = fills(path, waits=4)
    wait_for(first, "part 4")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    said = fills(path).communicate(timeout=100)[0]
    assert f"taking over from process {first.pid} on {writers.HOST}" in said
    assert "resuming after 4 parts" in said and "part 3" not in said
    assert np.load(path).tolist() == list(range(1, 11))


@pytest.mark.parametrize("process", [1, os.getpid()], ids=["elsewhere", "used again"])
def test_a_lock_without_a_sign_of_life_is_taken_over(tmp_path, monkeypatch, process, capsys):
    monkeypatch.setattr(writers, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(writers, "WATCH_SECONDS", 0.3)
    monkeypatch.setattr(writers, "SETTLE_SECONDS", 0.1)
    path = tmp_path / "lock"
    host = "elsewhere" if process == 1 else writers.HOST
    write_json(path, {"host": host, "process": process, "since": "2000-01-01 00:00:00"})
    lock = writers.Lock(path, tmp_path / "values.npy")
    assert f"process {process} on {host} since 2000-01-01 00:00:00, which is dead" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(writers, "WATCH_SECONDS", 60)  # a busy machine may beat late
    with pytest.raises(RuntimeError, match=f"being written by process {os.getpid()}"):
        writers.Lock(path, tmp_path / "values.npy")  # this one gives signs of life
    # Whoever stood still for too long finds out, and leaves the new owner's lock alone.
    write_json(path, {"host": "there", "process": 2, "since": "2001-01-01 00:00:00"})
    with pytest.raises(RuntimeError, match=r"process 2 on there .* has taken over"):
        lock.check()
    lock.release()
    assert read_json(path)["host"] == "there"
