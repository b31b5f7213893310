"""The configuration that ships is whole, and a wrong one is refused with the names there are."""

import json

import pytest
import yaml
from conftest import ROOT

from lohrec.configuration import machine, registry, rows, sections, settings
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
    settings.check(written, SCHEMA)
    settings.complete(written, SCHEMA)
    return json.loads(json.dumps(written))  # defaults are shared objects too


def test_each_dataset_has_every_setting_of_every_section(config: dict) -> None:
    declared = sections.flat(sections.defaults(sections.tree()))
    resolved = settings.resolve(config)
    assert resolved.keys() == config["datasets"].keys()
    for values in resolved.values():
        assert list(sections.flat(values)) == sorted(declared)


def test_a_network_keeps_all_that_makes_it_when_another_row_goes_on() -> None:
    network = {name: one["default"] for name, one in t5.SETTINGS.items()}
    assert t5.T5(network).config == network


def test_a_row_is_made_of_those_that_it_starts_from(config: dict) -> None:
    behind = rows.rows_behind("dtr", config["variants"])
    assert list(behind) == ["dtr", "distill", "ranker"]
    assert list(rows.rows_behind("tiger", config["variants"])) == ["tiger"]


def test_a_dataset_row_overrides_single_settings(config: dict) -> None:
    network = {"network": {"hidden": [7]}}
    config["datasets"]["demo"]["settings"] = {"rqvae": network, "training": {"epochs": 3}}
    resolved = settings.resolve(config)["demo"]
    preset = settings.preset("demo", config["presets"], "")
    assert resolved["rqvae"]["network"] == preset["rqvae"]["network"] | {"hidden": [7]}
    assert resolved["rqvae"]["training"] == preset["rqvae"]["training"]
    assert resolved["training"] == preset["training"] | {"epochs": 3}
    assert resolved["text"] == preset["text"]


def test_a_preset_changes_what_it_extends_and_that_the_defaults(config: dict) -> None:
    default = sections.defaults(sections.tree())
    config["presets"]["empty"] = {}
    assert settings.preset("empty", config["presets"], "") == default
    config["presets"]["mine"] = {"extends": "laptop", "networks": {"t5": {"layers": 7}}}
    laptop, mine = (settings.preset(name, config["presets"], "") for name in ("laptop", "mine"))
    assert mine.pop("networks")["t5"] == laptop.pop("networks")["t5"] | {"layers": 7}
    assert mine == laptop
    assert laptop["text"] == default["text"] | config["presets"]["laptop"]["text"]


def test_a_row_changes_settings_of_its_own(config: dict) -> None:
    config["variants"]["smooth"]["settings"] = {"networks": {"t5": {"layers": 7}}}
    values = settings.resolve(config)["demo"]
    tiger, smooth = (rows.fitting(values, config["variants"][name]) for name in ("tiger", "smooth"))
    assert smooth["network"] == tiger["network"] | {"layers": 7}
    assert tiger["training"] == smooth["training"]
    assert tiger["objective"]["losses"] == {"one_hot": {}}
    assert smooth["objective"]["losses"] == {"smoothed": values["losses"]["smoothed"]}


def test_a_row_trains_with_the_values_of_its_kind_of_start(config: dict) -> None:
    values = settings.resolve(config)["demo"]
    cold, warm = (
        rows.fitting(values, config["variants"][name])["training"] for name in ("tiger", "dwr")
    )
    assert cold.keys() - warm.keys() == {"epochs", "learning_rate"}
    assert warm.keys() - cold.keys() == {"warm_epochs", "warm_learning_rate"}


def test_a_reordered_config_resolves_to_the_same_text(config: dict) -> None:
    before = str(settings.resolve(config)["demo"])
    config["presets"]["laptop"] = reordered(config["presets"]["laptop"])
    config["presets"]["demo"] = reordered(config["presets"]["demo"])
    assert str(settings.resolve(config)["demo"]) == before


def all_of(kind: str) -> str:
    """What an error says there is of a kind."""
    return f"There is: {', '.join(registry.names(kind))}."


def test_an_unknown_source_is_one_error(written: dict) -> None:
    merge(written, {"datasets": {"demo": {"source": "simulation"}}})
    with pytest.raises(ValueError) as error:
        settings.check(written, SCHEMA)
    assert str(error.value).count("datasets.demo") == 1


def own(settings: dict) -> dict:
    """A row's own settings."""
    return {"settings": settings}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rawdir": "x"}, ["rawdir", "Did you mean raw_dir?", "datasets"]),
        (
            {"presets": {"demo": {"training": {"epoch": 3}}}},
            ["presets.demo.training", "'epoch'", "Did you mean epochs?", "warm_epochs"],
        ),
        (
            {"presets": {"demo": {"networks": {"t5": {"layer": 3}}}}},
            ["presets.demo.networks.t5", "'layer'", "Did you mean layers?", "d_model"],
        ),
        (
            {"datasets": {"demo": {"settings": {"teachr": {}}}}},
            ["datasets.demo.settings", "Did you mean teacher?"],
        ),
        ({"datasets": {"demo": {"seeds": []}}}, ["datasets.demo.seeds"]),
        (
            {"presets": {"demo": {"rqvae": {"objective": {"beta": "high"}}}}},
            ["presets.demo.rqvae.objective.beta", "high"],
        ),
        ({"variants": {"tiger": {"ranking": 1.0}}}, ["variants.tiger", "prior"]),
        ({"variants": {"tiger": {"losses": "one_hot"}}}, ["Did you mean loss?"]),
        ({"variants": {"tiger": {"loss": "smothed"}}}, ["tiger.loss", "Did you mean smoothed?"]),
        ({"variants": {"tiger": {"loss": "margin_ranking"}}}, ["variants.tiger.loss", "one_hot"]),
        ({"variants": {"tiger": {"network": "t5x"}}}, ["tiger.network", "Did you mean t5?"]),
        ({"variants": {"tiger": {"network": "bert"}}}, ["'bert'", all_of("network")]),
        ({"variants": {"tiger": {"loss": "x"}}}, ["There is: distilled,", "one_hot", "smoothed"]),
        (
            {"variants": {"tiger": {"recommender": "x"}}},
            [all_of("recommender")],
        ),
        (
            {"datasets": {"demo": {"source": "simulation"}}},
            ["demo.source", f"Did you mean simulated? {all_of('source')}"],
        ),
        (
            {"variants": {"popularity": {"recommender": "popular"}}},
            ["variants.popularity.recommender", "Did you mean popularity?", "generative"],
        ),
        (
            {"variants": {"tiger": {"settings": {"recommenders": {"teacher": {"free": 1}}}}}},
            ["variants.tiger.settings.recommenders.teacher", "'free'", "constrained"],
        ),
        (
            {"variants": {"lcrec": {"ranking": 1.0, "prior": "teacher"}}},
            ["teacher", "prior, ranking"],
        ),
        ({"variants": {"popularity": {"part": True}}}, ["variants.popularity", "part"]),
        ({"variants": {"dtr": {"loss": "smoothed"}}}, ["variants.dtr", "cascade", "loss"]),
        ({"variants": {"teacher": {}}}, ["variants", "teacher"]),
        ({"variants": {"items": {}}}, ["variants", "items"]),
        ({"variants": {"analysis": {}}}, ["variants", "analysis"]),
        ({"presets": {"demo": {"networks": {"t5": {"dropout": 1}}}}}, ["t5.dropout", "1"]),
        (
            {"variants": {"tiger": {"learns": "teacher_top", "loss": "distilled"}}},
            ["variants.tiger", "distilled", "teacher_top"],
        ),
        (
            {"variants": {"top": {"ranking": 1.0, "prior": "teacher"}}},
            ["variants.top", "teacher_top", "no ranking"],
        ),
        ({"datasets": {"benchmarks": {"preset": "demo"}}}, ["datasets", "benchmarks"]),
        ({"datasets": {"demo": {"category": "Toys"}}}, ["datasets.demo", "category"]),
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
        ({"presets": {"demo": {"extends": "laptob"}}}, ["demo.extends", "Did you mean laptop?"]),
        ({"presets": {"laptop": {"extends": "demo"}}}, ["extends itself"]),
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
            {"variants": {"distill": own({"networks": {"t5": {"codewords": "all"}}})}},
            ["networks.t5.codewords", "distill", "probabilities.codewords"],
        ),
        ({"variants": {"dwr": own({"training": {"epochs": 3}})}}, ["variants.dwr", "epochs"]),
        (
            {"variants": {"tiger": own({"training": {"warm_epochs": 3}})}},
            ["training.warm_epochs", "no effect"],
        ),
        (
            {"variants": {"tiger": own({"losses": {"smoothed": {"smoothing": 0.2}}})}},
            ["tiger", "smoothing"],
        ),
        (
            {"variants": {"smooth": own({"losses": {"distilled": {"mixture": 0.5}}})}},
            ["smooth", "mixture"],
        ),
        (
            {"variants": {"distill": own({"losses": {"margin_ranking": {"margin": 0.2}}})}},
            ["distill", "margin"],
        ),
        (
            {"variants": {"tiger": own({"recommenders": {"teacher": {"constrained": False}}})}},
            ["variants.tiger", "constrained", "no effect"],
        ),
        ({"variants": {"tiger": own({"rqvae": {"training": {"epochs": 3}}})}}, ["rqvae.training"]),
        (
            {"variants": {"dwr": own({"networks": {"t5": {"d_model": 64}}})}},
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
        settings.resolve(config)
    for word in words:
        assert word in str(error.value)


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
        rows.check_target(target, config["datasets"], config["variants"])
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
        rows.check_target(target, config["datasets"], config["variants"])


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


def reordered(values: dict) -> dict:
    return {
        name: reordered(value) if isinstance(value, dict) else value
        for name, value in reversed(values.items())
    }


def merge(into: dict, change: dict) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
