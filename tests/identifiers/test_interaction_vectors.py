"""Vectors of items by who had them, and those of items without text by their neighbours."""

import embed_interactions
import embed_items
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lohrec.data.examples import read_examples
from lohrec.data.sequences import leave_one_out
from lohrec.identifiers import interaction_vectors
from lohrec.identifiers.text_vectors import unit


def test_interaction_vectors_see_the_train_split_only(tmp_path):
    rng = np.random.default_rng(0)
    sequences = [rng.permutation(9)[: rng.integers(4, 8)] for _ in range(30)]
    flat = np.concatenate(sequences).astype(np.int32)
    flat[-2:] = [9, 9]  # item 9 is seen in dev and test only
    rows, matrix, offset = [], np.zeros((10, 30)), 0
    for user, sequence in enumerate(sequences):
        n = len(sequence)
        matrix[flat[offset : offset + n - 2], user] = 1
        for split, places in (("train", range(1, n - 2)), ("dev", [n - 2]), ("test", [n - 1])):
            rows += [(split, user, max(offset, offset + p - 20), offset + p) for p in places]
        offset += n
    table = pa.table(dict(zip(("split", "user", "start", "stop"), zip(*rows), strict=True)))  # noqa: B905
    schema = pa.schema(
        [("split", pa.string()), ("user", "int32"), ("start", "int64"), ("stop", "int64")]
    )
    pq.write_table(table.cast(schema), tmp_path / "examples.parquet")
    np.save(tmp_path / "sequences.npy", flat)
    embed_interactions.main(
        tmp_path / "sequences.npy", tmp_path / "examples.parquet", tmp_path / "v.npy"
    )
    vectors = np.load(tmp_path / "v.npy")
    # Of full rank, the cosines are those of the matrix itself.
    seen = matrix[:9] / np.linalg.norm(matrix[:9], axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[:9] @ vectors[:9].T, seen @ seen.T, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def shared_users(tmp_path, sequences):
    """Paths of the sequences and examples of lists of items."""
    user = np.repeat(np.arange(len(sequences)), [len(one) for one in sequences])
    np.save(tmp_path / "sequences.npy", np.concatenate(sequences).astype(np.int32))
    pq.write_table(leave_one_out(user, 20), tmp_path / "examples.parquet")
    return tmp_path / "sequences.npy", tmp_path / "examples.parquet"


def test_items_without_text_get_the_mean_of_their_neighbours(tmp_path):
    # The last two of each are dev and test. Item 0 shares two users with 1, and one with 2.
    sequences = [[0, 1, 2, 5, 6], [1, 0, 3, 5, 6], [4, 2, 3, 5, 0]]
    train = read_examples(*shared_users(tmp_path, sequences), "train")
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(7, 3)))
    without = np.isin(np.arange(7), [0, 6])
    found = interaction_vectors.from_neighbours(vectors, without, train)
    mean = 2 * vectors[1] + vectors[2] + vectors[3]
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(found[1:], vectors[1:], atol=1e-6)  # nobody has 6 in training


def test_the_script_fills_in_the_vectors_of_neighbours(tmp_path):
    sequences = [[0, 1, 2, 3, 4], [1, 0, 2, 4, 3]]
    paths = shared_users(tmp_path, sequences)
    texts = {
        "title": ["", "halo", "gears of war red", "racing wheel", "pad"],
        "description": [""] * 5,
    }
    pq.write_table(pa.table(texts), tmp_path / "items.parquet")
    settings = {"method": "lsa", "dimensions": 3, "max_features": 99, "seed": 0, "characters": None}
    out = tmp_path / "e.npy", tmp_path / "encoder.safetensors"
    given = (tmp_path / "items.parquet", *out, settings, {}, {}, 1)
    embed_items.main(*given)
    plain = np.load(tmp_path / "e.npy")
    embed_items.main(*given, *paths)
    vectors = np.load(tmp_path / "e.npy")
    mean = plain[1] + plain[2]
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(vectors[1:], plain[1:], atol=1e-6)
