import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with public review data, or a skip that says how to name it."""
    folder = Path(os.environ.get("LOHREC_DATA", ROOT / "resources/raw"))
    if not (folder / "amazon2018").is_dir():
        pytest.skip(f"no review data in {folder}; set LOHREC_DATA to a folder with amazon2018/")
    return folder
