"""A configuration of another shape than the schema's is refused with the names there are."""

import pytest
from shipped_config import SCHEMA, merge, own

from lohrec.configuration import registry, settings


def all_of(kind: str) -> str:
    """What an error says there is of a kind."""
    return f"There is: {', '.join(registry.names(kind))}."


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
            {"datasets": {"games": own({"text": {"revision": "main"}})}},
            ["games.settings.text.revision: 'main' is not: a commit, 40 hexadecimal digits"],
        ),
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
        ({"variants": {"tiger_more_compact": {"folds": 2}}}, ["has seen them; leave folds out"]),
        (
            {"variants": {"distill_compact": {"folds": 2}}},
            ["folds leave users out"],
        ),
        ({"searches": {"tiger": [{"trainin": {}}, {}]}}, ["searches.tiger.0", "training?"]),
        ({"datasets": {"benchmarks": {"preset": "demo"}}}, ["datasets", "benchmarks"]),
        ({"datasets": {"demo": {"category": "Toys"}}}, ["datasets.demo", "category"]),
        ({"presets": {"demo": {"cuda": {"fit": {"count": 2}}}}}, ["demo.cuda.fit.count", "2"]),
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
            ["presets.demo.training.learning_rate", "of AdamW. Write it as 1.0e-3"],
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
        ({"datasets": {"games": {"category": "Toys\n"}}}, ["datasets.games.category"]),
        ({"datasets": {"mine\n": {"source": "simulated"}}}, ["a letter first"]),
        ({"variants": {"mine\n": {"recommender": "ease"}}}, ["a letter first"]),
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
        ({"datasets": {"mine": {"preset": "demo"}}}, ["datasets.mine: source is missing"]),
        ({"datasets": {"demo": {"seeds": [True]}}}, ["seeds.0: true is not: integer"]),
        ({"datasets": {"demo": {"seeds": [1.5]}}}, ["seeds.0: 1.5 is not: integer"]),
        ({"datasets": {"demo": {"seeds": [1.0]}}}, ["seeds.0: 1.0 is not: integer"]),
        (
            {"datasets": {"demo": own({"networks": {"t5": {"layers": 2.0}}})}},
            ["networks.t5.layers: 2.0 is not: integer"],
        ),
        (
            {"datasets": {"demo": own({"decoding": {"batch_size": 10**20}})}},
            ["decoding.batch_size: 100000000000000000000 is not below 2 ** 63"],
        ),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"until": "yesterday"}}})}},
            ["table.until: 'yesterday' is not: a date such as 2020-12-31"],
        ),
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


def test_an_unknown_source_is_one_error(written: dict) -> None:
    merge(written, {"datasets": {"demo": {"source": "simulation"}}})
    with pytest.raises(ValueError) as error:
        settings.check(written, SCHEMA)
    assert str(error.value).count("datasets.demo") == 1
