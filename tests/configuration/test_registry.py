"""Modules are found by name and read without an import; what they declare is whole."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator

from lohrec.configuration import page, registry, sections, settings

SCHEMA = ROOT / "config/schemas/config.schema.yaml"


def test_names_are_modules_that_declare_settings() -> None:
    assert set(registry.names("source")) >= {"amazon2018", "lcrec", "simulated"}
    assert registry.names("network") == ["compact", "t5"]
    assert {"one_hot", "smoothed", "distilled", "margin_ranking"} <= set(registry.names("loss"))
    assert {"generative", "cascade", "teacher", "popularity"} <= set(registry.names("recommender"))
    assert registry.load("recommender", "popularity").SETTINGS == {}


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"loss: there is no 'smothed'. Did you mean smoothed\?"):
        registry.path("loss", "smothed")


def test_a_declaration_must_be_a_literal(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("SETTINGS = dict(a=1)\n")
    with pytest.raises(ValueError, match=r"one\.py: SETTINGS must be a literal"):
        registry.literal(tmp_path / "one.py", "SETTINGS")
    assert registry.literal(tmp_path / "one.py", "READS") is None


def test_reading_the_configuration_imports_nothing_heavy() -> None:
    program = (
        "import sys; from lohrec.configuration import rows, sections, settings; sections.tree();"
        f"settings.schema({str(SCHEMA)!r});"
        "print([name for name in ('torch', 'numpy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_every_setting_has_a_default_in_its_range_and_a_sentence() -> None:
    schema = settings.schema(SCHEMA)

    def check(group: dict, place: str) -> None:
        for name, one in group.items():
            if isinstance(one, sections.Setting):
                own = {"$defs": schema["$defs"], **one.schema}
                Draft202012Validator(own).validate(one.schema["default"])
                sentence = one.schema["description"]
                assert sentence[0].isupper() and sentence.endswith("."), f"{place}{name}"
            else:
                check(one, f"{place}{name}.")

    check(sections.tree(), "")


def test_the_page_of_settings_is_the_one_that_is_made() -> None:
    """If this fails: make docs."""
    assert (ROOT / "docs/configuration.md").read_text() == page.text(ROOT / "config")
