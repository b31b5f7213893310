import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Fixtures that several files share.
pytest_plugins = ["digest_workflow", "shipped_config"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The path of a public file by its name, or a skip that says what is missing."""

    def find(name: str) -> Path:
        if "LOHREC_DATA" not in os.environ:
            pytest.skip(f"set LOHREC_DATA to a folder with {name}")
        path = Path(os.environ["LOHREC_DATA"], name)
        if not path.exists():
            pytest.skip(f"there is no {path}")
        return path

    return find
