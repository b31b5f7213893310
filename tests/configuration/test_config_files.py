"""Files, arguments and targets: what is wrong is refused, with its place."""

import re
from pathlib import Path

import pytest
import test_config
import test_schema
import test_searches
from conftest import ROOT
from shipped_config import SCHEMA, merge

from lohrec.configuration import config_files, settings, targets


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("results/gamez/dwr/metrics.json", ["'gamez'", "Did you mean games?", "demo"]),
        ("results/games/dwrr/metrics.json", ["'dwrr'", "Did you mean dwr?", "tiger"]),
        ("results/games/ranker/metrics.json", ["'ranker'", "tiger"]),
        ("results/games/dtrr/seed_0/model/recommender.json", ["'dtrr'", "ranker"]),
    ],
)
def test_an_unknown_target_is_refused(config: dict, target: str, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        targets.check(target, config["datasets"], config["variants"])
    for word in (target, *words):
        assert word in str(error.value)


def test_known_targets_and_other_arguments_pass(config: dict) -> None:
    for target in (
        "results/games/dwr/metrics.json",
        "results/games/dwr/seed_0/recommendations.parquet",
        "results/games/ranker/seed_0/model/recommender.json",
        "results/games/data/statistics.json",
        "results/games/comparison.md",
        "--cores",
        "8",
        "raw_dir=results/gamez/x",
    ):
        targets.check(target, config["datasets"], config["variants"])


def test_a_fault_has_its_file_and_line(tmp_path: Path, written: dict) -> None:
    (tmp_path / "base.yaml").write_text("raw_dir: here\ndatasets:\n  demo: {seeds: [0]}\n")
    (tmp_path / "mine.yaml").write_text("datasets:\n  demo:\n    seeds: [1.5]\n    x: 1\n")
    files = [tmp_path / "base.yaml", tmp_path / "mine.yaml"]
    merge(written, {"raw_dir": 3, "datasets": {"demo": {"seeds": [1.5], "x": 1}}})
    with pytest.raises(ValueError) as error:
        settings.check(written, SCHEMA, files)
    _, *lines = str(error.value).splitlines()
    assert sorted(re.sub(r".*\((.*), (line \d)\)$", r"\2", line) for line in lines[:2]) == [
        "line 3",
        "line 4",
    ]
    assert all("mine.yaml" in line for line in lines[:2])
    assert lines[2].startswith("  raw_dir: 3 is not") and "base.yaml" not in lines[2]  # --config


def test_a_key_that_is_twice_in_a_group_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("datasets:\n  demo: {}\n  games: {}\n  demo: {seeds: [1]}\n")
    with pytest.raises(ValueError, match=r"mine.yaml has 'demo' twice .* lines 2 and 4.* Keep one"):
        config_files.check_once([file])
    for name in ("config.yaml", "variants.yaml", "searches.yaml"):
        config_files.check_once([ROOT / "config" / name])


def test_the_page_says_how_many_are_tried() -> None:
    tables = (
        test_schema.test_a_broken_schema_names_the_place,
        test_config.test_a_row_that_names_nothing_is_refused,
        test_an_unknown_target_is_refused,
        test_searches.test_a_trial_that_its_row_cannot_be_is_refused,
        test_searches.test_a_sweep_of_what_a_row_does_not_have_is_refused,
        test_searches.test_a_study_of_what_a_row_cannot_have_is_refused,
    )  # fmt: skip
    tried = sum(len(mark.args[1]) for table in tables for mark in table.pytestmark)
    page = " ".join((ROOT / "docs/running.md").read_text().split())
    assert re.findall(r"(\d+) wrong configurations", page) == [str(tried)]


def test_a_second_configfile_is_refused() -> None:
    settings.check_arguments(["-n", "--configfile", "a.yaml", "b.yaml", "--config", "raw_dir=x"])
    for second in (["--configfile", "b.yaml"], ["--configfiles=b.yaml"]):
        with pytest.raises(ValueError, match=r"takes the last alone.*--configfile ONE.yaml OTHER"):
            settings.check_arguments(["--configfile", "a.yaml", *second])
