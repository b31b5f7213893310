"""What a machine has: raw files and GPUs."""

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


def test_gpus_are_lacking_when_too_few_are_large_enough(config: dict) -> None:
    resolved = settings.resolve(config)
    needs = {("games", "train_teacher"): {"count": 2, "memory_gb": 24}}

    def lacking(*found: float) -> str | None:
        return machine.lacking(needs, list(found), config["datasets"], resolved)

    assert lacking(24.0, 80.0) is None
    for message in (lacking(), lacking(80.0), lacking(80.0, 8.0)):
        assert "train_teacher: 2 GPU(s) of 24 GB" in message
        assert "you can run: games_laptop" in message
