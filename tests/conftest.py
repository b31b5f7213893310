import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

# Fixtures that several files share.
pytest_plugins = ["digest_workflow", "shipped_config", "tiny_shop"]

ROOT = Path(__file__).resolve().parent.parent

# The longest files first, so that no core waits for another in the end.
LONGEST = (
    "test_end_to_end.py",
    "test_reruns.py",
    "test_planning.py",
    "test_end_to_end_text.py",
    "test_elsewhere.py",
    "test_extending.py",
    "test_your_data.py",
    "test_text_learner.py",
    "test_logger_plugin.py",
    "test_refusals.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


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


@pytest.fixture
def four_threads() -> Iterator[None]:
    """PyTorch computes with four threads, which share sums by index among them."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=[False, True], ids=["untied", "tied"])
def llama_folder(request, tmp_path_factory) -> Path:
    """A small language model, whose head is a matrix of its own or the embedding."""
    import tiny_llama

    return tiny_llama.checkpoint(tmp_path_factory.mktemp("llama"), request.param)


@pytest.fixture(scope="session")
def untied_llama(tmp_path_factory) -> Path:
    """The one whose head is a matrix of its own."""
    import tiny_llama

    return tiny_llama.checkpoint(tmp_path_factory.mktemp("llama"))
