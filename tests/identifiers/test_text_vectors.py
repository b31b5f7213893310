import json
import shutil
from itertools import pairwise

import embed_items
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from lohrec.common import language_models, partial_array, unfinished
from lohrec.identifiers import text_vectors
from lohrec.identifiers.lsa import fit

WORDS = ["halo", "gears", "of", "war", "racing", "wheel", "red", "blue", "pad", "for", "the"]
WORDS += ["console", "edition", "game"]
TITLES = ["halo", "", "gears of war red", "racing wheel", "", "pad for the console"]
DESCRIPTIONS = ["the game", "", "", "racing wheel for the game " * 4, "blue edition", "red pad"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A folder with a random LLaMA of two layers and a tokenizer of whole words, no pad token."""
    folder = tmp_path_factory.mktemp("llama")
    vocabulary = {word: token for token, word in enumerate(["<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def settings(checkpoint):
    return {
        "method": "llama",
        "model": str(checkpoint),
        "revision": None,
        "max_tokens": 12,
        "batch_tokens": 16,
        "dtype": "float32",
    }


def one_by_one(checkpoint, max_tokens):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    model = AutoModel.from_pretrained(checkpoint).eval()
    vectors = []
    for texts in zip(TITLES, DESCRIPTIONS, strict=True):
        means = []
        for text in filter(None, texts):
            ids = torch.tensor([tokenizer(text)["input_ids"][:max_tokens]])
            with torch.no_grad():
                means.append(model(input_ids=ids).last_hidden_state[0].mean(0))
        vectors.append(torch.stack(means).mean(0) if means else None)
    mean = torch.stack([v for v in vectors if v is not None]).mean(0)
    return torch.stack([mean if v is None else v for v in vectors]).numpy()


def test_llama_equals_one_text_at_a_time(checkpoint, settings, tmp_path, capsys):
    output = tmp_path / "e.npy"
    text_vectors.states(TITLES, DESCRIPTIONS, output, settings, {}, CPU)
    vectors = np.load(output)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, one_by_one(checkpoint, 12), atol=1e-5)
    unfinished.remove([output])
    assert list(tmp_path.iterdir()) == [output]
    assert "1 of 6 items have no text" in capsys.readouterr().out


def test_llama_in_bfloat16_is_near(checkpoint, settings, tmp_path):
    text_vectors.states(
        TITLES, DESCRIPTIONS, tmp_path / "e.npy", {**settings, "dtype": "bfloat16"}, {}, CPU
    )
    vectors, expected = np.load(tmp_path / "e.npy"), one_by_one(checkpoint, 12)
    assert np.abs(vectors - expected).max() < 0.05 * np.abs(expected).max()


def test_a_killed_llama_continues_where_it_was(checkpoint, settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(partial_array, "MARK_SECONDS", -1)
    encode, calls = text_vectors._encode, []

    def killed(model, tokens, device):
        calls.append(len(tokens))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(model, tokens, device)

    monkeypatch.setattr(text_vectors, "_encode", killed)
    output = tmp_path / "e.npy"
    with pytest.raises(KeyboardInterrupt):
        text_vectors.states(TITLES, DESCRIPTIONS, output, settings, {}, CPU)
    assert not output.exists()
    text_vectors.states(TITLES, DESCRIPTIONS, output, settings, {}, CPU)
    assert "resuming after 1 parts" in capsys.readouterr().out
    # Each text is encoded once, but for those of the batch that was cut off.
    assert sum(calls) - calls[1] == sum(map(bool, TITLES + DESCRIPTIONS))
    np.testing.assert_allclose(np.load(output), one_by_one(checkpoint, 12), atol=1e-5)

    # Killed before the output was recorded, which Snakemake then deletes: nothing is encoded.
    calls.clear()
    output.unlink()
    text_vectors.states(TITLES, DESCRIPTIONS, output, settings, {}, CPU)
    assert not calls and "resuming after" in capsys.readouterr().out
    np.testing.assert_allclose(np.load(output), one_by_one(checkpoint, 12), atol=1e-5)
    unfinished.remove([output])
    assert [path.name for path in tmp_path.iterdir()] == ["e.npy"]

    # Other texts, another program or other weights do not go on from it.
    weights = shutil.copytree(checkpoint, tmp_path / "model") / "model.safetensors"
    changed = settings | {"model": str(tmp_path / "model")}
    for titles, code, weight in ((TITLES[::-1], {}, 0), (TITLES, {"a": "b"}, 0), (TITLES, {}, 1)):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            text_vectors.states(TITLES, DESCRIPTIONS, tmp_path / "f.npy", changed, {}, CPU)
        if weight:
            tensors = load_file(weights)
            tensors["model.norm.weight"] += 1
            save_file(tensors, weights, metadata={"format": "pt"})
        text_vectors.states(titles, DESCRIPTIONS, tmp_path / "f.npy", changed, code, CPU)
        assert "resuming" not in capsys.readouterr().out


def test_batches_hold_every_text_once_within_the_budget():
    length = np.random.default_rng(0).integers(0, 40, size=300)
    batches = list(text_vectors.token_batches(length, 64))
    assert sorted(np.concatenate(batches)) == np.flatnonzero(length).tolist()
    assert all(len(rows) * length[rows].max() <= 64 for rows in batches)
    assert [len(rows) for rows in text_vectors.token_batches(np.array([100, 3, 3]), 10)] == [1, 2]


def test_models_that_cannot_be_used_are_named_with_a_remedy(settings, tmp_path, monkeypatch):
    def run(**changes):
        text_vectors.states(TITLES, DESCRIPTIONS, tmp_path / "e.npy", settings | changes, {}, CPU)

    with pytest.raises(ValueError, match=r"is no folder here, and text\.revision 'main' is no"):
        run(model="some/model", revision="main")
    with pytest.raises(ValueError, match=r"text\.revision null is no commit"):
        run(model="some/model", revision=None)
    with pytest.raises(FileNotFoundError, match=r"cannot be loaded.*\n.*safetensors"):
        run(model=str(tmp_path))
    with pytest.raises(ValueError, match="None of the 6 items"):
        text_vectors.states([""] * 6, [" "] * 6, tmp_path / "e.npy", settings, {}, CPU)
    # Weights that only torch can unpickle are refused.
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="cannot be loaded"):
        run(model=str(tmp_path))


def test_weights_that_are_not_all_there_are_refused(checkpoint, settings, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights.*layers\.1\.mlp\.up_proj"):
        language_models.load(str(folder), None, "float32", "text", False)


def test_a_hub_name_without_a_network_fails_with_a_remedy(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"'no/such' cannot be loaded[^$]*HF_HUB_OFFLINE=1"):
        language_models.load("no/such", "a" * 40, "float32", "text", False)


def lsa(titles, descriptions, dimensions=8, max_features=1000):
    return fit(titles, descriptions, dimensions, max_features, seed=0)[0]


def test_lsa_of_full_rank_keeps_the_cosines_of_tf_idf():
    titles = [f"{a} {b} {n}" for n, (a, b) in enumerate(pairwise(WORDS))]
    vectors = lsa(titles, [""] * len(titles), dimensions=50)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(titles), len(titles))
    frequency = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"
    ).fit_transform(titles)
    np.testing.assert_allclose(vectors @ vectors.T, (frequency @ frequency.T).toarray(), atol=1e-5)


def test_lsa_is_of_length_one_repeatable_and_fills_in_items_without_text(capsys):
    vectors = lsa(TITLES, DESCRIPTIONS, dimensions=3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(vectors, lsa(TITLES, DESCRIPTIONS, dimensions=3))
    assert "1 of 6 items have no text" in capsys.readouterr().out
    mean = np.delete(vectors, 1, axis=0).mean(0)
    np.testing.assert_allclose(vectors[1], mean / np.linalg.norm(mean), atol=1e-6)


def test_lsa_tells_a_sequel_from_its_predecessor():
    vectors = lsa(["halo 2", "halo 3", "halo 2"], ["", "", ""])
    assert vectors[0] @ vectors[2] == pytest.approx(1)
    assert vectors[0] @ vectors[1] < 0.9


def test_lsa_without_any_text_is_an_error():
    with pytest.raises(ValueError, match="None of the 2 items"):
        lsa(["", " "], ["", "--"])
    with pytest.raises(ValueError, match="All 2 items have the same vector"):
        lsa(["mug", "mug"], ["", ""])


def test_script_writes_vectors_in_the_order_of_the_items(tmp_path):
    table = pa.table({"title": TITLES, "description": DESCRIPTIONS})
    pq.write_table(table, tmp_path / "items.parquet")
    text = {"method": "lsa", "dimensions": 4, "max_features": 100, "seed": 0, "characters": None}
    out = tmp_path / "e.npy", tmp_path / "encoder.safetensors"
    embed_items.main(tmp_path / "items.parquet", *out, text, {}, {"count": 0}, 1)
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy"), lsa(TITLES, DESCRIPTIONS, 4))


def test_long_texts_are_left_out_and_counted(tmp_path, capsys):
    table = pa.table({"title": TITLES, "description": DESCRIPTIONS})
    pq.write_table(table, tmp_path / "items.parquet")
    most = max(map(len, TITLES))  # the longest title stays
    text = {"method": "lsa", "dimensions": 4, "max_features": 100, "seed": 0, "characters": most}
    out = tmp_path / "e.npy", tmp_path / "encoder.safetensors"
    embed_items.main(tmp_path / "items.parquet", *out, text, {}, {"count": 0}, 1)
    said = capsys.readouterr().out
    assert f"1 of 6 descriptions have more than {most} characters: left out" in said
    assert "titles" not in said
    shortened = [text if len(text) <= most else "" for text in DESCRIPTIONS]
    assert shortened != DESCRIPTIONS
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy"), lsa(TITLES, shortened, 4))


def test_texts_that_are_all_the_same_make_no_identifiers(tmp_path):
    pq.write_table(
        pa.table({"title": ["a b"] * 9, "description": [""] * 9}), tmp_path / "items.parquet"
    )
    settings = {"method": "lsa", "dimensions": 3, "max_features": 99, "seed": 0, "characters": None}
    out = tmp_path / "e.npy", tmp_path / "encoder.safetensors"
    with pytest.raises(ValueError, match=r"All 9 items have the same vector.*interactions"):
        embed_items.main(tmp_path / "items.parquet", *out, settings, {}, {}, 1)
    assert not any(path.exists() for path in out)
