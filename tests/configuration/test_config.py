"""A wrong configuration is refused with the names there are."""

import re
from pathlib import Path

import pytest
import test_searches
from conftest import ROOT
from shipped_config import SCHEMA

from lohrec.configuration import config_files, registry, settings, targets


def all_of(kind: str) -> str:
    """What an error says there is of a kind."""
    return f"There is: {', '.join(registry.names(kind))}."


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
        ({"variants": {"tiger": {"recommender": "x"}}}, [all_of("recommender")]),
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
        (
            {"variants": {"p5_cid": {"loss": "distilled"}}},
            ["variants.p5_cid", "semantic IDs", "collaborative"],
        ),
        (
            {"variants": {"tiger": {"teacher": "ensemble"}}},
            ["variants.tiger", "teacher would have no effect"],
        ),
        ({"variants": {"mixed": {"recommender": "ensemble"}}}, ["variants.mixed", "members"]),
        ({"variants": {"popularity": {"folds": 2}}}, ["variants.popularity: folds", "teach"]),
        ({"variants": {"ensemble": {"folds": 2}}}, ["variants.ensemble: folds", "members"]),
        ({"searches": {"tiger": [{"trainin": {}}, {}]}}, ["searches.tiger.0", "training?"]),
        ({"datasets": {"benchmarks": {"preset": "demo"}}}, ["datasets", "benchmarks"]),
        ({"datasets": {"demo": {"category": "Toys"}}}, ["datasets.demo", "category"]),
        ({"presets": {"demo": {"threads": {"train": 2}}}}, ["presets.demo.threads", "train_rqvae"]),
        (
            {"presets": {"demo": {"rqvae": {"objective": {"beta": float("nan")}}}}},
            ["presets.demo.rqvae.objective.beta: nan is no number"],
        ),
        (
            {"presets": {"demo": {"training": {"epochs": float("inf")}}}},
            ["presets.demo.training.epochs: inf is no number"],
        ),
        (
            {"presets": {"demo": {"training": {"learning_rate": "1e-3"}}}},
            ["presets.demo.training.learning_rate", "Write it as 1.0e-3"],
        ),
        (
            {"presets": {"demo": {"training": {"learning_rate": "2.5E3"}}}},
            ["learning_rate", "Write it as 2.5e+3"],
        ),
        ({"presets": {"demo": {"text": {"seed": -1}}}}, ["presets.demo.text.seed", "-1"]),
        ({"datasets": {"demo": {"seeds": [10**20]}}}, ["datasets.demo.seeds.0", "≤ 4294967295"]),
        (
            {"datasets": {"games": {"category": "../../../x"}}},
            ["datasets.games.category", "'../../../x'"],
        ),
        ({"datasets": {"games": {"category": "{seeds}"}}}, ["datasets.games.category"]),
        ({"datasets": {"../x": {"preset": "demo"}}}, ["datasets", "../x"]),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"items": "../u.item"}}})}},
            ["datasets.movielens.settings.sources.table.items", "../u.item"],
        ),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"recipe": "movielens_100"}}})}},
            ["sources.table.recipe", "Did you mean movielens_100k?"],
        ),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"columns": {"usr": 1}}}})}},
            ["sources.table.columns", "Did you mean user?"],
        ),
        ({"datasets": None}, ["datasets: null is no group of keys"]),
        ({"datasets": ["demo"]}, ['datasets: ["demo"] is no group of keys']),
        ({"datasets": {"demo": None}}, ["datasets.demo: null is no group of keys"]),
        ({"datasets": {"demo": "laptop"}}, ["datasets.demo: 'laptop' is no group of keys"]),
        ({"datasets": {"demo": {"settings": None}}}, ["datasets.demo.settings: null is no group"]),
        ({"datasets": {"demo": own({"text": None})}}, ["datasets.demo.settings.text: null is no"]),
        ({"datasets": {"demo": own({"sources": [1]})}}, ["settings.sources: [1] is no group"]),
        (
            {"datasets": {"demo": own({"sources": {"simulated": {"usres": 3}}})}},
            ["sources.simulated: unknown key 'usres'. Did you mean users?"],
        ),
        (
            {"datasets": {"demo": own({"sources": {"mine": {}}})}},
            ["settings.sources: unknown key 'mine'. There is: amazon2018"],
        ),
        ({"variants": None}, ["variants: null is no group"]),
        ({"variants": {"tiger": None}}, ["variants.tiger: null is no group"]),
        ({"presets": {"demo": None}}, ["presets.demo: null is no group"]),
        ({"datasets": {"mine": {"preset": "demo"}}}, ["datasets.mine: source, seeds is missing"]),
        ({"datasets": {"demo": {"seeds": [True]}}}, ["seeds.0: true is not: integer"]),
        ({"datasets": {"demo": {"seeds": [1.5]}}}, ["seeds.0: 1.5 is not: integer"]),
        ({"datasets": {"demo": {"seeds": "0"}}}, ["seeds: '0' is not: a list: integer"]),
        ({"datasets": {"demo": {"seeds": [0, 0]}}}, ["seeds: [0, 0] has an entry twice"]),
        ({"datasets": {"{x}": {"preset": "demo"}}}, ["the name '{x}' is not", "small letters"]),
        ({"variants": {"../x": {}}}, ["the name '../x' is not", "small letters"]),
        ({"datasets": {"games": {"sha256": {"x": "abc"}}}}, ["'abc' is not: 64 hexadecimal"]),
        ({"raw_dir": None}, ["raw_dir: null is not: a path"]),
        ({"raw_dir": "{x}"}, ["raw_dir: '{x}' is not: a path without { and }"]),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"items": "/etc/passwd"}}})}},
            ["'/etc/passwd' is not: a path below raw_dir"],
        ),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"items": "{x}.csv"}}})}},
            ["'{x}.csv' is not: a path below raw_dir"],
        ),
        ({"datasets": {"demo": own({"tasks": {"templates": "{x}"}})}}, ["tasks.templates: '{x}'"]),
        (
            {"datasets": {"demo": own({"decoding": {"beams": "many"}})}},
            ["beams: 'many' is not: int"],
        ),
        (
            {"datasets": {"demo": own({"sources": {"simulated": {"items": 1}}})}},
            ["sources.simulated.items: 1 is not: integer, ≥ 50. "],
        ),
        (
            {"datasets": {"demo": own({"evaluation": {"cutoffs": [0]}})}},
            ["evaluation.cutoffs.0: 0 is not: integer, ≥ 1"],
        ),
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
        (
            {"datasets": {"movielens": own({"sources": {"table": {"interactions": None}}})}},
            ["datasets.movielens: name the file of interactions", "sources.table.interactions"],
        ),
        ({"variants": {"dtr": {"ranker": "rank"}}}, ["variants.dtr.ranker", "ranker"]),
        ({"variants": {"dtr": {"retriever": "p5_cid"}}}, ["variants.dtr", "identifiers"]),
        ({"variants": {"p5_cid": {"start_from": "tiger"}}}, ["variants.p5_cid", "identifiers"]),
        ({"variants": {"sasrec": {"folds": 2}}}, ["variants.ensemble", "folds"]),
        ({"variants": {"ensemble": {"members": ["p5_cid"]}}}, ["variants.ensemble", "identifiers"]),
        ({"variants": {"dwr": {"start_from": "dwr"}}}, ["made of itself: dwr -> dwr"]),
        ({"variants": {"distill": {"start_from": "dwr"}}}, ["is made of itself"]),
        (
            {"variants": {"ensemble": {"members": ["popularity"]}}},
            ["variants.ensemble.members", "'popularity'", "tiger_compact"],
        ),
        ({"variants": {"distill": {"teacher": "dtr"}}}, ["variants.distill.teacher", "'dtr'"]),
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
            {"datasets": {"games": own({"adaptation": {"model": None}})}},
            ["datasets.games", "adaptation.model names no model", "teacher.kind: scratch"],
        ),
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
                            "decoding": {"top": 15},
                            "evaluation": {"cutoffs": [5], "diversity": "interactions"},
                        }
                    }
                }
            },
            [
                "games_laptop_words/lcrec is measured on something else",
                "ingest.core, settings.decoding.top, settings.evaluation.cutoffs, settings",
            ],
        ),
        (
            {"datasets": {"games_laptop_words": {"settings": {"text": {"dimensions": 9}}}}},
            ["alike in settings.text."],
        ),
        (
            {"datasets": {"games_laptop_words": {"settings": {"ingest": {"tie_seed": 1}}}}},
            ["alike in settings.ingest.tie_seed."],
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


def merge(into: dict, change: dict) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def test_an_unknown_source_is_one_error(written: dict) -> None:
    merge(written, {"datasets": {"demo": {"source": "simulation"}}})
    with pytest.raises(ValueError) as error:
        settings.check(written, SCHEMA)
    assert str(error.value).count("datasets.demo") == 1


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
        test_a_broken_schema_names_the_place, test_a_row_that_names_nothing_is_refused,
        test_an_unknown_target_is_refused,
        test_searches.test_a_trial_that_changes_nothing_is_refused,
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


def test_a_source_without_texts_has_vectors_of_interactions(config: dict) -> None:
    assert settings.resolve(config)["movielens"]["text"]["method"] == "lsa"
    merge(config, {"datasets": {"movielens": own({"sources": {"table": {"items": None}}})}})
    assert settings.resolve(config)["movielens"]["text"]["method"] == "interactions"
