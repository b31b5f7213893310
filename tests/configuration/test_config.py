"""The configuration that ships is whole, and a wrong one is refused with the names there are."""

import json

import pytest
import yaml
from conftest import ROOT

from lohrec.configuration import settings
from lohrec.recommender.networks import t5

SCHEMA = ROOT / "config/schemas/config.schema.yaml"


@pytest.fixture
def written() -> dict:
    """config.yaml and variants.yaml."""
    found = {}
    for name in ("config.yaml", "variants.yaml"):
        found |= yaml.safe_load((ROOT / "config" / name).read_text())
    return json.loads(json.dumps(found))  # anchors are shared objects


@pytest.fixture
def config(written: dict) -> dict:
    """The same with the defaults that the workflow fills in."""
    from snakemake.utils import validate

    settings.check(written, SCHEMA)
    validate(written, str(SCHEMA))
    return json.loads(json.dumps(written))  # defaults are shared objects too


def test_each_dataset_has_every_setting_of_every_section(config: dict) -> None:
    definitions = yaml.safe_load(SCHEMA.read_text())["$defs"]
    resolved = settings.resolve(config, SCHEMA)
    assert resolved.keys() == config["datasets"].keys()
    for sections in resolved.values():
        for name, section in sections.items():
            assert list(section) == sorted(definitions[name].get("properties", section))


def test_a_network_keeps_all_that_makes_it_when_another_row_goes_on() -> None:
    assert settings.ARCHITECTURE == t5.CONFIG


def test_a_row_is_made_of_those_that_it_starts_from(config: dict) -> None:
    behind = settings.rows_behind("dtr", config["variants"])
    assert list(behind) == ["dtr", "distill", "ranker"]
    assert list(settings.rows_behind("tiger", config["variants"])) == ["tiger"]


def test_a_dataset_row_overrides_single_settings(config: dict) -> None:
    config["datasets"]["demo"]["settings"] = {"rqvae": {"hidden": [7]}, "generator": {"epochs": 3}}
    resolved = settings.resolve(config, SCHEMA)
    preset = config["presets"]["demo"]
    assert resolved["demo"]["rqvae"] == preset["rqvae"] | {"hidden": [7]}
    assert resolved["demo"]["generator"] == preset["generator"] | {"epochs": 3}
    assert resolved["demo"]["text"] == preset["text"]


def test_a_reordered_config_resolves_to_the_same_text(config: dict) -> None:
    before = str(settings.resolve(config, SCHEMA)["demo"])
    sections = config["presets"]["demo"]
    config["presets"]["demo"] = {
        name: dict(reversed(sections[name].items())) for name in reversed(sections)
    }
    assert str(settings.resolve(config, SCHEMA)["demo"]) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rawdir": "x"}, ["rawdir", "Did you mean raw_dir?", "datasets"]),
        (
            {"presets": {"demo": {"generator": {"epoch": 3}}}},
            ["presets.demo.generator", "'epoch'", "Did you mean epochs?", "d_model"],
        ),
        (
            {"datasets": {"demo": {"settings": {"teachr": {}}}}},
            ["datasets.demo.settings", "Did you mean teacher?"],
        ),
        ({"datasets": {"demo": {"seeds": []}}}, ["datasets.demo.seeds"]),
        ({"presets": {"demo": {"rqvae": {"beta": "high"}}}}, ["presets.demo.rqvae.beta", "high"]),
        ({"variants": {"tiger": {"rank": 1.0}}}, ["variants.tiger", "prior"]),
        ({"variants": {"tiger": {"targets": "one_hot"}}}, ["Did you mean target?"]),
        ({"variants": {"tiger": {"constrained": False}}}, ["variants.tiger", "constrained"]),
        ({"variants": {"lcrec": {"rank": 1.0, "prior": "llm"}}}, ["teacher", "prior, rank"]),
        ({"variants": {"dtr": {"target": "smoothed"}}}, ["variants.dtr", "cascade", "target"]),
        ({"variants": {"teacher": {}}}, ["variants", "teacher"]),
        ({"variants": {"items": {}}}, ["variants", "items"]),
        ({"variants": {"analysis": {}}}, ["variants", "analysis"]),
        ({"presets": {"demo": {"generator": {"dropout": 1}}}}, ["generator.dropout", "1"]),
        ({"variants": {"tiger": {"label": "top", "target": "teacher"}}}, ["variants.tiger"]),
        ({"datasets": {"benchmarks": {"preset": "demo"}}}, ["datasets", "benchmarks"]),
        ({"presets": {"demo": {"threads": {"train": 2}}}}, ["presets.demo.threads", "train_rqvae"]),
    ],
)
def test_a_broken_schema_names_the_place(written: dict, change: dict, words: list[str]) -> None:
    merge(written, change)
    with pytest.raises(ValueError) as error:
        settings.check(written, SCHEMA)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"datasets": {"demo": {"preset": "laptob"}}}, ["'laptob'", "Did you mean laptop?"]),
        ({"datasets": {"demo": {"variants": ["tigger"]}}}, ["'tigger'", "Did you mean tiger?"]),
        ({"datasets": {"demo": {"variants": ["ranker"]}}}, ["'ranker'", "tiger"]),
        ({"datasets": {"demo": {"variants": ["gamez/lcrec", "tiger"]}}}, ["'gamez'", "games"]),
        ({"datasets": {"demo": {"reference": "lcrec"}}}, ["demo.reference", "'lcrec'", "tiger"]),
        ({"variants": {"dwr": {"start_from": "dtr"}}}, ["variants.dwr.start_from", "distill"]),
        ({"variants": {"dtr": {"ranker": "rank"}}}, ["variants.dtr.ranker", "ranker"]),
        (
            {
                "datasets": {
                    "instruments_lcrec": {"settings": {"evaluation": {"diversity": "latent"}}}
                }
            },
            ["instruments_lcrec", "diversity"],
        ),
        (
            {"variants": {"distill": {"generator": {"codewords": "all"}}}},
            ["generator.codewords", "distill", "probabilities.codewords"],
        ),
        ({"variants": {"dwr": {"generator": {"epochs": 3}}}}, ["variants.dwr", "epochs"]),
        ({"variants": {"tiger": {"generator": {"warm_epochs": 3}}}}, ["warm_epochs", "no effect"]),
        ({"variants": {"tiger": {"generator": {"smoothing": 0.2}}}}, ["tiger", "smoothing"]),
        ({"variants": {"smooth": {"generator": {"mixture": 0.5}}}}, ["smooth", "mixture"]),
        ({"variants": {"distill": {"generator": {"margin": 0.2}}}}, ["distill", "margin"]),
        (
            {"variants": {"dwr": {"generator": {"d_model": 64}}}},
            ["variants.dwr starts from distill", "d_model"],
        ),
        ({"datasets": {"demo": {"settings": {"decoding": {"top": 5}}}}}, ["top (5)", "cutoffs"]),
        (
            {"datasets": {"demo": {"settings": {"decoding": {"beams": 15}}}}},
            ["decoding.beams (15)", "decoding.top (20)"],
        ),
        ({"datasets": {"demo": {"settings": {"text": {"method": "llama"}}}}}, ["text.model"]),
        (
            {"datasets": {"games_gpu": {"settings": {"tasks": {"mixture": {"intention": 1.0}}}}}},
            ["games_gpu", "intention", "tasks.user_texts"],
        ),
        (
            {"datasets": {"demo": {"variants": ["games/lcrec", "tiger"]}}},
            ["games/lcrec", "demo and games must be alike in source, category"],
        ),
        (
            {
                "datasets": {
                    "games_laptop_words": {
                        "settings": {
                            "ingest": {"core": 10},
                            "evaluation": {"cutoffs": [5], "diversity": "interactions"},
                        }
                    }
                }
            },
            [
                "games_laptop_words/lcrec is measured on something else",
                "ingest.core, settings.evaluation.cutoffs, settings.evaluation.diversity",
            ],
        ),
        (
            {"datasets": {"games_laptop_words": {"settings": {"text": {"dimensions": 9}}}}},
            ["alike in settings.text."],
        ),
    ],
)
def test_a_row_that_names_nothing_is_refused(config: dict, change: dict, words: list[str]) -> None:
    merge(config, change)
    with pytest.raises(ValueError) as error:
        settings.resolve(config, SCHEMA)
    for word in words:
        assert word in str(error.value)


def test_a_preset_that_lacks_a_setting_is_refused(config: dict) -> None:
    del config["presets"]["demo"]["text"]["seed"]
    with pytest.raises(ValueError, match=r"presets\.demo\.text lacks seed"):
        settings.resolve(config, SCHEMA)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("results/gamez/dwr/metrics.json", ["'gamez'", "Did you mean games?", "demo"]),
        ("results/games/dwrr/metrics.json", ["'dwrr'", "Did you mean dwr?", "tiger"]),
        ("results/games/ranker/metrics.json", ["'ranker'", "tiger"]),
        ("results/games/generators/dtr/seed_0/model.safetensors", ["'dtr'", "ranker"]),
    ],
)
def test_an_unknown_target_is_refused(config: dict, target: str, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        settings.check_target(target, config["datasets"], config["variants"])
    for word in (target, *words):
        assert word in str(error.value)


def test_known_targets_and_other_arguments_pass(config: dict) -> None:
    for target in (
        "results/games/dwr/metrics.json",
        "results/games/dwr/seed_0/recommendations.parquet",
        "results/games/generators/ranker/seed_0/model.safetensors",
        "results/games/data/statistics.json",
        "results/games/comparison.md",
        "--cores",
        "8",
        "raw_dir=results/gamez/x",
    ):
        settings.check_target(target, config["datasets"], config["variants"])


def test_raw_files_are_found_in_a_folder_and_directly_below_it(tmp_path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "deep").mkdir()
    for place in ("b/below", "b/deep/hidden", "b/both", "both"):
        (tmp_path / place).touch()
    assert settings.find_raw(tmp_path, "below") == str(tmp_path / "b/below")
    assert settings.find_raw(tmp_path, "both") == str(tmp_path / "both")
    assert settings.find_raw(tmp_path, "hidden") is None
    assert settings.find_raw(tmp_path / "absent", "below") is None


def test_gpus_are_lacking_when_too_few_are_large_enough(config: dict) -> None:
    resolved = settings.resolve(config, SCHEMA)
    needs = {("games", "train_teacher"): {"count": 2, "memory_gb": 24}}

    def lacking(*found: float) -> str | None:
        return settings.lacking(needs, list(found), config["datasets"], resolved)

    assert lacking(24.0, 80.0) is None
    for message in (lacking(), lacking(80.0), lacking(80.0, 8.0)):
        assert "train_teacher: 2 GPU(s) of 24 GB" in message
        assert "you can run: games_laptop" in message


def merge(into: dict, change: dict) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
