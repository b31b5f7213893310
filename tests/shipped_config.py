"""The configuration that ships, as it is written and as the workflow completes it."""

import json
from functools import cache

import pytest
import yaml
from conftest import ROOT

from lohrec.configuration import settings

SCHEMA = ROOT / "config/schemas/config.schema.yaml"


# As text, of which each test gets objects of its own: anchors and defaults are shared ones.
@cache
def read() -> str:
    shipped = {}
    for name in ("config.yaml", "variants.yaml"):
        shipped |= yaml.load((ROOT / "config" / name).read_text(), yaml.CSafeLoader)
    return json.dumps(shipped)


@cache
def completed() -> str:
    shipped = json.loads(read())
    settings.check(shipped, SCHEMA)
    settings.complete(shipped, SCHEMA)
    return json.dumps(shipped)


@pytest.fixture
def written() -> dict:
    """config.yaml and variants.yaml."""
    return json.loads(read())


@pytest.fixture
def config() -> dict:
    """The same with the defaults that the workflow fills in."""
    return json.loads(completed())


def own(settings: dict) -> dict:
    """A row's own settings."""
    return {"settings": settings}


def merge(into: dict, change: dict) -> None:
    """Lay a change over a configuration."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
