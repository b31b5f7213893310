"""The nearest items by text vectors, against a loop over sorted cosines."""

import numpy as np
import pytest
import tiny_shop

from lohrec.benchmarks import text_vectors
from lohrec.data.sequences import leave_one_out
from lohrec.identifiers import text_encoder
from lohrec.identifiers.text_encoder import TextEncoder
from lohrec.identifiers.text_vectors import unit


def by_hand(vectors: np.ndarray, examples) -> list[float]:
    hits = []
    for row in range(len(examples)):
        history = examples.sequences[examples.start[row] : examples.stop[row]].tolist()
        cosine = (vectors @ vectors[history[-1]]).tolist()
        order = sorted(range(len(vectors)), key=lambda item: -cosine[item])
        listed = [item for item in order if item not in history][: text_vectors.CUTOFF]
        hits.append(float(examples.target[row] in listed))
    return hits


def test_the_nearest_are_those_of_sorted_cosines(tmp_path) -> None:
    shop = tiny_shop.make(tmp_path)
    rng = np.random.default_rng(0)
    # Of whole numbers, so products are exact and many are equal: of these the first counts.
    vectors = rng.integers(-2, 3, (tiny_shop.ITEMS, 6)).astype(np.float32)
    expected = by_hand(vectors, shop.train)
    assert text_vectors.near(vectors, shop.train).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_the_table_holds_datasets_side_by_side(tmp_path) -> None:
    tiny_shop.make(tmp_path)
    for name, users in (("one", 40), ("two", 40), ("other", 30)):
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        (folder / "text").mkdir()
        (folder / "ids/encoder").mkdir(parents=True)
        (folder / "data/sequences.npy").write_bytes((tmp_path / "sequences.npy").read_bytes())
        table = leave_one_out(np.repeat(np.arange(users), tiny_shop.LENGTH), 20)
        tiny_shop.pq.write_table(table, folder / "data/examples.parquet")
        angle = np.arange(tiny_shop.ITEMS) * (0.01 if name == "one" else 1.0)
        vectors = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
        np.save(folder / "text/embeddings.npy", vectors)
        settings = {"method": name, "characters": None}
        text_encoder.save(
            folder / "ids/encoder/text.safetensors", TextEncoder(settings, vectors[0])
        )
    test = text_vectors.read_examples(
        tmp_path / "one/data/sequences.npy", tmp_path / "one/data/examples.parquet", "test"
    )
    printed = text_vectors.table([tmp_path / "one", tmp_path / "two"])
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in printed.splitlines()[4:]]
    means = [
        np.mean(by_hand(unit(np.load(tmp_path / name / "text/embeddings.npy")), test))
        for name in ("one", "two")
    ]
    assert means[0] > means[1]  # users go to one of the next three items, which lie beside it
    assert printed.startswith(f"{len(test)} test users")
    assert rows[0] == ["one", "one", "2", f"{means[0]:.4f}", ""]
    assert rows[1][:4] == ["two", "two", "2", f"{means[1]:.4f}"]
    assert rows[1][4].startswith(f"{means[1] - means[0]:+.4f} (-")
    with pytest.raises(ValueError, match="other users"):
        text_vectors.table([tmp_path / "one", tmp_path / "other"])
