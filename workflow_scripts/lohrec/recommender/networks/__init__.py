"""Networks of generative recommenders; a name is a module, which calls its class `Network`."""

from pathlib import Path
from typing import Any

from lohrec.configuration import registry


def load(kind: str, folder: str | Path) -> Any:
    """The trained network `kind` in a folder that its `save` left."""
    return registry.load("network", kind).Network.load(folder)
