"""The configuration that ships is whole, and each setting has its place."""

import pytest
from shipped_config import SCHEMA

from lohrec.configuration import rows, sections, settings
from lohrec.recommender.networks import t5


def test_each_dataset_has_every_setting_of_every_section(config: dict) -> None:
    declared = sections.flat(sections.defaults(sections.tree()))
    resolved = settings.resolve(config)
    assert resolved.keys() == config["datasets"].keys()
    for values in resolved.values():
        assert list(sections.flat(values)) == sorted(declared)


@pytest.mark.parametrize(
    ("variants", "reference"),
    [(None, "tiger"), (["ease", "tiger"], "tiger"), (["ease", "tiger_compact"], "ease")],
)
def test_a_row_needs_a_source_alone(written: dict, variants: list | None, reference: str) -> None:
    row = {"source": "simulated"} | ({"variants": variants} if variants else {})
    written["datasets"]["mine"] = row
    settings.check(written, SCHEMA)
    settings.complete(written, SCHEMA)
    found = written["datasets"]["mine"]
    assert (found["preset"], found["seeds"], found["reference"]) == ("laptop", [0], reference)
    assert settings.resolve(written)["mine"] == settings.preset("laptop", written["presets"], "")


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


def reordered(values: dict) -> dict:
    return {
        name: reordered(value) if isinstance(value, dict) else value
        for name, value in reversed(values.items())
    }


def test_how_many_users_are_computed_at_once_is_no_part_of_a_fit(config: dict) -> None:
    values = settings.resolve(config)["games"]
    assert values["recommenders"]["teacher"]["batch_size"] == 64
    assert rows.fitting(values, config["variants"]["lcrec"]) == {"constrained": True}
