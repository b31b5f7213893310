"""A saved text encoder gives texts the vectors that the dataset's own items have."""

import importlib.util
import shutil

import embed_items
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from test_text_vectors import DESCRIPTIONS, TITLES, checkpoint, one_by_one, settings  # noqa: F401
from transformers import BertConfig, BertModel

from lohrec.identifiers import text_encoder, text_vectors

CPU = torch.device("cpu")
LSA = {"method": "lsa", "dimensions": 3, "max_features": 20, "seed": 0, "characters": 30}


@pytest.fixture
def package(tmp_path, checkpoint, monkeypatch):  # noqa: F811
    """What stands for the package of all-MiniLM-L6-v2: a BERT of one layer, with random weights."""
    folder = tmp_path / "site" / text_vectors.PACKAGE
    shutil.copytree(checkpoint, folder / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "__init__.py").write_text("import sentence_transformers_that_are_not_there\n")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=20, intermediate_size=32, **size)
    BertModel(config).save_pretrained(folder / "model")
    monkeypatch.syspath_prepend(folder.parent)
    return folder / "model"


@pytest.fixture(params=["lsa", "minilm", "llama"])
def made(request, tmp_path, settings, package):  # noqa: F811
    """Vectors of the items, and the encoder as it was saved."""
    text = LSA if request.param == "lsa" else settings | {"characters": None}
    if request.param == "minilm":
        text = {name: text[name] for name in ("max_tokens", "batch_tokens", "characters")}
        text["method"] = "minilm"
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


def test_minilm_is_the_mean_over_the_tokens_of_the_packaged_model(package, tmp_path) -> None:
    text = {"method": "minilm", "max_tokens": 12, "batch_tokens": 64, "characters": None}
    pq.write_table(pa.table({"title": TITLES, "description": DESCRIPTIONS}), tmp_path / "items")
    out = tmp_path / "e.npy", tmp_path / "text.safetensors"
    embed_items.main(tmp_path / "items", *out, text, {}, {"count": 0}, 1)
    expected = one_by_one(package, 12)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(out[0]), expected, atol=1e-5)


def test_a_package_that_is_missing_is_named() -> None:
    if importlib.util.find_spec(text_vectors.PACKAGE):
        pytest.skip("the package is installed")
    with pytest.raises(FileNotFoundError, match=r"--no-deps -r requirements-minilm.txt"):
        text_vectors.model_of({"method": "minilm"})


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
