"""A saved text encoder gives texts the vectors that the dataset's own items have."""

import embed_items
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from test_text_vectors import DESCRIPTIONS, TITLES, checkpoint, settings  # noqa: F401

from lohrec.identifiers import text_encoder

CPU = torch.device("cpu")
LSA = {"method": "lsa", "dimensions": 3, "max_features": 20, "seed": 0, "characters": 30}


@pytest.fixture(params=["lsa", "llama"])
def made(request, tmp_path, settings):  # noqa: F811
    """Vectors of the items, and the encoder as it was saved."""
    text = LSA if request.param == "lsa" else settings | {"characters": None}
    table = pa.table({"title": TITLES, "description": DESCRIPTIONS})
    pq.write_table(table, tmp_path / "items.parquet")
    out = tmp_path / "e.npy", tmp_path / "text.safetensors"
    embed_items.main(tmp_path / "items.parquet", *out, text, {}, {"count": 0}, 1)
    return np.load(out[0]), text_encoder.load(out[1])


def test_the_texts_of_a_dataset_get_their_vectors_again(made) -> None:
    vectors, encoder = made
    again = encoder.encode(TITLES, DESCRIPTIONS, CPU)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, vectors, atol=2e-6)
    # Whoever else is asked for.
    order = [4, 1, 0]
    some = encoder.encode([TITLES[i] for i in order], [DESCRIPTIONS[i] for i in order], CPU)
    np.testing.assert_allclose(some, vectors[order], atol=2e-6)


def test_items_without_a_known_word_get_the_mean(made) -> None:
    vectors, encoder = made
    assert not TITLES[1] + DESCRIPTIONS[1]
    np.testing.assert_allclose(encoder.encode([""], [""], CPU), vectors[[1]], atol=1e-6)
    if encoder.lsa:
        np.testing.assert_allclose(encoder.encode(["zzz"], [""], CPU), vectors[[1]], atol=1e-6)


def test_other_files_are_refused(tmp_path) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"no such")
    with pytest.raises(ValueError, match="is no text encoder"):
        text_encoder.load(tmp_path / "text.safetensors")
