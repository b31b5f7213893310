"""Settings that are tried for a row: each try is one that the row can have."""

import pytest
import yaml
from conftest import ROOT
from shipped_config import SCHEMA

from lohrec.configuration import rows, searches, settings


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        ({"tigger": [{}, {}]}, ["'tigger'", "Did you mean tiger?"]),
        (
            {"tiger": [{}, {"networks": {"compact": {"width": 8}}}]},
            ["tiger (searches, number 1)", "networks.compact.width", "no effect"],
        ),
        ({"popularity": [{}, {"ranking": 0.1}]}, ["popularity (searches, number 1)", "prior"]),
    ],
)
def test_a_trial_that_its_row_cannot_be_is_refused(
    config: dict, tried: dict, words: list[str]
) -> None:
    with pytest.raises(ValueError) as error:
        searches.trials(tried, config["variants"], settings.schema(SCHEMA))
    for word in words:
        assert word in str(error.value)


def test_each_shipped_trial_differs_from_the_others_of_its_row(config: dict) -> None:
    variants, values = config["variants"], settings.resolve(config)["instruments_lcrec"]
    shipped = yaml.safe_load((ROOT / "config/searches.yaml").read_text())["searches"]
    tried = searches.trials(shipped, variants, settings.schema(SCHEMA))
    assert len(shipped) > 10
    for name, overlays in shipped.items():
        numbered = enumerate(overlays)
        of_row = [searches.trial_name(name, n) if overlay else name for n, overlay in numbered]
        fitted = [rows.fitting(values, (variants | tried)[one]) for one in of_row]
        same = [one for n, one in enumerate(of_row) if fitted[n] in fitted[:n]]
        assert same == [], same


def test_the_weight_of_ranking_is_tried_too(config: dict) -> None:
    tried = {"dwr": [{}, {"ranking": 0.1, "training": {"warm_epochs": 3}}]}
    trial = searches.trials(tried, config["variants"], settings.schema(SCHEMA))["dwr-1"]
    row = config["variants"]["dwr"]
    assert trial["ranking"] == 0.1 != row["ranking"]
    assert trial["settings"]["training"] == row["settings"].get("training", {}) | {"warm_epochs": 3}
    assert trial["start_from"] == row["start_from"]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"row": "dwrr", "setting": "ranking", "values": [1, 2]}, ["sweeps.one.row", "dwr?"]),
        ({"row": "dwr", "setting": "rankin", "values": [1, 2]}, ["rankin", "ranking?"]),
        ({"row": "dwr", "setting": "ranking", "values": [-1, 2]}, ["ranking: -1", "-1 is not"]),
        ({"row": "dwr", "setting": "ranking", "values": [0, 2]}, ["ranking: 0", "null"]),
        (
            {"row": "tiger", "setting": "losses.smoothed.smoothing", "values": [0.1, 0.2]},
            ["losses.smoothed.smoothing", "no effect"],
        ),
        (
            {"row": "tiger", "setting": "decoding.beams", "values": [20, 0]},
            ["decoding.beams: 0", "0 is not"],
        ),
        (
            {"row": "sasrec", "setting": "decoding.beams", "values": [20, 50]},
            ["sasrec (sweeps.one, decoding.beams: 20)", "no beam search"],
        ),
        (
            {"row": "fdsa", "setting": "decoding.beams", "values": [20, 50]},
            ["fdsa", "no beam search"],
        ),
        (
            {"row": "tiger", "setting": "decoding.top", "values": [5, 10]},
            ["decoding.top", "no effect"],
        ),
    ],
)
def test_a_sweep_of_what_a_row_does_not_have_is_refused(
    config: dict, sweep: dict, words: list[str]
) -> None:
    with pytest.raises(ValueError) as error:
        searches.swept({"one": sweep}, config["variants"], settings.schema(SCHEMA))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("name", "tried", "words"),
    [
        ("tigger", {"training.epochs": {"low": 1, "high": 3}}, ["studies", "tiger?"]),
        ("tiger", {"training.epoch": {"low": 1, "high": 3}}, ["training.epoch: 1", "epochs?"]),
        (
            "tiger",
            {"networks.t5.dropout": {"low": 0.5, "high": 1.5}},
            ["dropout: 1.5", "1.5 is not"],
        ),
        (
            "tiger",
            {"networks.compact.width": {"values": [8, 16]}},
            ["compact.width: 8", "no effect"],
        ),
        ("tiger", {"networks.t5.codewords": {"values": ["all", "no"]}}, ["codewords: no", "'no'"]),
        ("tiger", {"training.epochs": {"low": 3, "high": 3}}, ["low is to be below high"]),
        (
            "tiger",
            {"training.weight_decay": {"low": 0.0, "high": 1.0, "log": True}},
            ["above 0 where log"],
        ),
        (
            "ease",
            {"recommenders.ease.penalty": {"low": 10.0, "high": 100.0}},
            ["studies.ease", "not trained in steps"],
        ),
    ],
)
def test_a_study_of_what_a_row_cannot_have_is_refused(
    config: dict, name: str, tried: dict, words: list[str]
) -> None:
    study = {name: {"trials": 3, "settings": tried}}
    with pytest.raises(ValueError) as error:
        searches.studied(study, config["variants"], settings.schema(SCHEMA))
    for word in words:
        assert word in str(error.value)


def test_ends_of_a_range_are_whole_where_the_setting_is() -> None:
    ends = {"low": 1, "high": 2}
    tried = {
        "training.weight_decay": ends | {"log": True},
        "networks.t5.layers": ends,
        "losses.margin_ranking.candidates": ends,  # or null
        "ranking": ends,
        "networks.t5.codewords": {"values": ["level", "all"]},
    }
    found = searches.ranges({"settings": tried}, settings.schema(SCHEMA))
    assert found == tried
    real = {name for name, one in found.items() if isinstance(one.get("high"), float)}
    assert real == {"training.weight_decay", "ranking"}


def test_settings_of_a_study_are_found_in_what_a_fit_is_given(config: dict) -> None:
    demo = settings.resolve(config)["demo"]
    for name, setting in (
        ("smooth", "losses.smoothed.smoothing"),
        ("smooth", "networks.t5.d_model"),
        ("smooth", "training.learning_rate"),
        ("sasrec", "recommenders.sasrec.dropout"),
        ("sasrec", "recommenders.sasrec.training.learning_rate"),
    ):
        found = rows.fitting(demo, config["variants"][name])
        for key in searches.place_of(setting):
            found = found[key]
        wanted = demo
        for key in setting.split("."):
            wanted = wanted[key]
        assert found == wanted and not isinstance(found, dict)


def test_a_value_that_the_row_has_is_the_row(config: dict) -> None:
    sweep = {"row": "smooth", "setting": "losses.smoothed.smoothing", "values": [0.1, 0.2]}
    found = searches.swept({"xi": sweep}, config["variants"], settings.schema(SCHEMA))
    assert {n: r["settings"]["losses"]["smoothed"] for n, r in found.items()} == {
        "xi=0.1": {"smoothing": 0.1},
        "xi=0.2": {"smoothing": 0.2},
    }
    every = config["variants"] | found
    demo = settings.resolve(config)["demo"]
    assert searches.row_with("xi", 0.1, sweep, demo, every) == "smooth"
    assert searches.row_with("xi", 0.2, sweep, demo, every) == "xi=0.2"
    demo["losses"]["smoothed"]["smoothing"] = 0.2
    assert searches.row_with("xi", 0.1, sweep, demo, every) == "xi=0.1"


def test_a_search_of_a_row_without_training_is_refused(config: dict) -> None:
    trials = {"ease": [{}, {"recommenders": {"ease": {"penalty": 10.0}}}]}
    with pytest.raises(ValueError, match=r"searches\.ease: .*not trained in steps"):
        searches.trials(trials, config["variants"], settings.schema(SCHEMA))
