"""A small shop with all that any recommender may read, and small settings."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from lohrec.configuration.sections import defaults, overlaid, tree
from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import Examples, read_examples
from lohrec.data.sequences import leave_one_out
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.recommender import Recommender, named

USERS, ITEMS, LENGTH = 40, 60, 7
DECODING = {
    "beams": 20, "top": 20, "rerank": 20, "batch_size": 16, "exclude_history": True,
    "renormalise": False,
}  # fmt: skip
SMALL = {
    "network": {
        "name": "t5", "d_model": 16, "d_ff": 16, "heads": 2, "d_kv": 8, "layers": 1,
        "decoder_layers": 1, "dropout": 0.1, "codewords": "level", "causal_encoder": False,
        "recency": False,
    },
    "training": {
        "batch_size": 32, "epochs": 1, "learning_rate": 1e-2, "warmup": 0.1, "weight_decay": 0.01,
        "clip": 1.0, "bf16": False, "evaluations": 1, "patience": 1, "dev_users": 20,
        "averaging": 0.0, "dropped_items": 0.0,
    },
    "objective": {
        "loss": "one_hot", "learns": "next_item", "generation": 1.0, "ranking": 0.0,
        "losses": {"one_hot": {}},
    },
}  # fmt: skip
COMPACT = {
    "name": "compact", "width": 16, "layers": 1, "heads": 2, "positions": 20, "dropout": 0.1,
    "pairs": 4, "codewords": "legal",
}  # fmt: skip
LLAMA = {
    "hidden": 32, "layers": 1, "heads": 2, "intermediate": 32, "dropout": 0.0, "seed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """Where everything lies.

    Attributes:
        folder: of all files.
        catalogue: the items.
        train, dev: examples.
        artefacts: paths by name, of `members` a list.
    """

    folder: Path
    catalogue: Catalogue
    train: Examples
    dev: Examples
    artefacts: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "Shop":
        """The shop that lies in a folder."""
        train, dev = (
            read_examples(folder / "sequences.npy", folder / "examples", s)
            for s in ("train", "dev")
        )
        parts = [str(folder / role) for role in ("retriever", "ranker")]
        artefacts = {
            "catalogue": str(folder / "items.parquet"),
            "ids": str(folder / "ids.npy"),
            "teacher": str(folder / "teacher/model/model.safetensors"),
            "retriever": parts[0],
            "ranker": parts[1],
            "members": parts,
        }
        return cls(folder, Catalogue.of(folder / "items.parquet", train), train, dev, artefacts)

    def fit(self, name: str, settings: dict[str, Any] | None = None, seed: int = 0) -> Recommender:
        """Fit the recommender `name` with small settings, or with its defaults under `settings`."""
        given = defaults(tree()["recommenders"].get(name, {}))
        given = overlaid(given, SMALL if name == "generative" else {})
        if "training" in given:
            given = overlaid(given, {"training": SMALL["training"]})
        inputs = Inputs(self.train, self.dev, self.catalogue, 20, self.artefacts, DECODING)
        return named(name).fit(inputs, overlaid(given, settings or {}), seed)

    def files(self, statistics: Path, *read: str) -> dict[str, Any]:
        """What a rule hands to a fit: the data, statistics.json, and artefacts by their names."""
        data = {"sequences": "sequences.npy", "examples": "examples", "catalogue": "items.parquet"}
        found = {name: str(self.folder / file) for name, file in data.items()}
        found |= {name: self.artefacts[name] for name in read}
        return found | {"statistics": str(statistics)}


def fill(folder: Path) -> None:
    """Users go from an item to one of the next few; the teacher has learned nothing."""
    from lohrec.teacher.model import build_llama, save_teacher  # takes seconds

    rng = np.random.default_rng(0)
    step = rng.integers(1, 4, (USERS, LENGTH))
    items = (rng.integers(0, ITEMS, (USERS, 1)) + step.cumsum(1)) % ITEMS
    np.save(folder / "sequences.npy", items.ravel().astype(np.int32))
    pq.write_table(leave_one_out(np.repeat(np.arange(USERS), LENGTH), 20), folder / "examples")
    names = [f"B{number:03d}" for number in range(ITEMS)]
    table = {"item": range(ITEMS), "asin": names, "title": [f"thing {n}" for n in names]}
    table |= {"brand": [""] * ITEMS, "categories": [[]] * ITEMS}
    pq.write_table(pa.table({k: list(v) for k, v in table.items()}), folder / "items.parquet")
    number = rng.permutation(6**4)[:ITEMS]
    ids = np.stack([number // 6**d % 6 for d in range(4)], 1)
    np.save(folder / "ids.npy", ids.astype(np.int16))
    torch.manual_seed(0)
    save_teacher(build_llama(LLAMA), folder / "teacher/model")
    shop = Shop.of(folder)
    for seed, role in enumerate(("retriever", "ranker")):
        shop.fit("generative", seed=seed).save(folder / role)


@cache
def files() -> dict[str, bytes]:
    """What `fill` makes, once for all tests: {path in the folder: content}."""
    with TemporaryDirectory() as folder:
        fill(Path(folder))
        made = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in made}


def make(folder: Path) -> Shop:
    """A shop of one's own in a folder."""
    for name, content in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Shop.of(folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """What `make` makes, for the tests of one file."""
    return make(tmp_path_factory.mktemp("shop"))
