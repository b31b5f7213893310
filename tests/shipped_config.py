"""The configuration that ships, as it is written and as the workflow completes it."""

import json

import pytest
import yaml
from conftest import ROOT

from lohrec.configuration import settings

SCHEMA = ROOT / "config/schemas/config.schema.yaml"


@pytest.fixture
def written() -> dict:
    """config.yaml and variants.yaml."""
    shipped = {}
    for name in ("config.yaml", "variants.yaml"):
        shipped |= yaml.safe_load((ROOT / "config" / name).read_text())
    return json.loads(json.dumps(shipped))  # anchors are shared objects


@pytest.fixture
def config(written: dict) -> dict:
    """The same with the defaults that the workflow fills in."""
    settings.check(written, SCHEMA)
    settings.complete(written, SCHEMA)
    return json.loads(json.dumps(written))  # defaults are shared objects too


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
