"""Networks of generative recommenders; a name is a module, which calls its class `Network`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lohrec.configuration import registry


def build(settings: Mapping[str, Any]) -> Any:
    """A network with random weights.

    Args:
        settings: its `name`, and its own.
    """
    return registry.load("network", settings["name"]).Network(settings)


def load(kind: str, folder: str | Path) -> Any:
    """The trained network `kind` in a folder that its `save` left."""
    return registry.load("network", kind).Network.load(folder)
