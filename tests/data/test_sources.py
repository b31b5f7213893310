"""What every source declares and defines."""

import inspect
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from lohrec.configuration import registry
from lohrec.data.interactions import Ingested

SOURCES = registry.names("source")
KEYS = {"file", "also", "url", "made", "optional", "setting", "parts"}


def test_the_sources_there_are() -> None:
    assert {"amazon2018", "lcrec", "simulated", "table"} <= set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_declarations_are_what_the_module_holds(name: str) -> None:
    module = registry.load("source", name)
    for literal in ("FILES", "READS", "SETTINGS"):
        assert registry.declared("source", name, literal) == getattr(module, literal)


@pytest.mark.parametrize("name", SOURCES)
def test_every_file_has_a_name_or_is_made(name: str) -> None:
    files = registry.declared("source", name, "FILES")
    assert files
    for file in files.values():
        assert file.keys() <= KEYS and len({"file", "made", "setting"} & file.keys()) == 1
        assert file.get("setting") in {None, *registry.declared("source", name, "SETTINGS")}
        for text in (file.get("file", ""), *file.get("also", []), file.get("made", "")):
            text.format(category="c", dataset="d")
        file.get("url", "").format(file="f")


@pytest.mark.parametrize("name", SOURCES)
def test_settings_are_properties_of_a_schema(name: str) -> None:
    for setting in registry.declared("source", name, "SETTINGS").values():
        Draft202012Validator.check_schema(setting)
        Draft202012Validator(setting).validate(setting["default"])
        assert setting["description"].endswith(".")


@pytest.mark.parametrize("name", SOURCES)
def test_read_takes_the_files_and_the_settings_that_are_declared(name: str) -> None:
    module = registry.load("source", name)
    read = inspect.signature(module.read)
    assert list(read.parameters) == ["paths", *module.READS]
    assert read.return_annotation is Ingested
    assert hasattr(module, "read_identifiers") == ("index" in module.FILES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    module = registry.load("source", name)
    paths = {kind: tmp_path / f"{kind}.json" for kind in module.FILES if kind != "index"}
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        module.read(paths, **dict.fromkeys(module.READS, 5))
