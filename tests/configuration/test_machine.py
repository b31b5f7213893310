"""What a machine has: raw files and GPUs."""

import math
import os

import pytest

from lohrec.common import artefacts
from lohrec.configuration import machine, settings


def test_raw_files_are_found_in_a_folder_and_directly_below_it(tmp_path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "deep").mkdir()
    for place in ("b/below", "b/deep/hidden", "b/both", "both"):
        (tmp_path / place).touch()
    assert machine.find_raw(tmp_path, "below") == str(tmp_path / "b/below")
    assert machine.find_raw(tmp_path, "both") == str(tmp_path / "both")
    assert machine.find_raw(tmp_path, "hidden") is None
    assert machine.find_raw(tmp_path / "absent", "below") is None


def test_two_files_of_one_name_are_refused_unless_they_are_the_same(tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "u.data").write_text("same")
    assert machine.find_raw(tmp_path, "u.data") == str(tmp_path / "a/u.data")
    (tmp_path / "b/u.data").write_text("other")
    with pytest.raises(ValueError, match=r"a/u\.data and .*b/u\.data have one name"):
        machine.find_raw(tmp_path, "u.data")


def test_parts_are_the_files_of_a_folder(tmp_path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    with pytest.raises(ValueError, match="orders has no files"):
        machine.parts(folder)
    for name in ("2.csv", "1.csv", "_SUCCESS", ".hidden"):
        (folder / name).touch()
    assert machine.parts(folder) == [str(folder / name) for name in ("1.csv", "2.csv")]
    assert machine.parts(folder / "1.csv") == [str(folder / "1.csv")]
    (folder / "1.csv.gz").touch()
    with pytest.raises(ValueError, match=r"1\.csv and .*1\.csv\.gz have one name"):
        machine.parts(folder)


def test_a_digest_is_computed_once_and_again_after_a_change(tmp_path, monkeypatch) -> None:
    raw, record = tmp_path / "raw.csv", tmp_path / "resources/digests.json"
    raw.write_text("one")
    counted = []
    real = artefacts.fingerprint
    monkeypatch.setattr(artefacts, "fingerprint", lambda path: counted.append(path) or real(path))

    def digest() -> str:
        return machine.contents([str(raw)], record)[str(raw)]

    first = digest()
    assert first == digest() and len(counted) == 1
    raw.write_text("two")
    os.utime(raw, (0, 0))
    second = digest()
    assert second != first and len(counted) == 2
    raw.touch()
    assert digest() == second and len(counted) == 3
    for damaged in ("", "[1]", '{"a": 1}', f'{{"{raw}": {{"seen": 1}}}}'):
        record.write_text(damaged)
        assert digest() == second
    assert len(counted) == 7


def test_gpus_are_lacking_when_too_few_are_large_enough(config: dict) -> None:
    resolved = settings.resolve(config)
    needs = {("games", "train_teacher"): {"count": 2, "memory_gb": 24}}
    needs |= {
        (dataset, rule): {"count": 1, "memory_gb": 8}
        for dataset in ("games", "arts", "instruments")
        for rule in ("fit", "recommend")
    }

    def lacking(*found: float) -> str | None:
        return machine.lacking(needs, list(found), config["datasets"], resolved)

    assert lacking(24.0, 80.0) is None
    assert lacking(23.8, math.inf) is None  # an A10G, and one that shares the host's memory
    assert "found: unknown, 22 GB" in str(lacking(math.inf, 22.0))
    for message in (lacking(), lacking(80.0), lacking(80.0, 8.0)):
        assert "train_teacher: 2 GPU(s) of 24 GB, fit: 1 GPU(s) of 8 GB" in message
        assert "So do 2 more: arts, instruments." in message
        assert "you can run: games_laptop" in message
        assert message.count("\n") < 5
