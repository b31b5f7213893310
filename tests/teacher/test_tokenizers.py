"""Codewords as words of a tokenizer, and their rows of the model."""

import pytest
import tiny_llama
import torch
from transformers import AutoTokenizer

from lohrec.common import language_models
from lohrec.teacher.model import save_teacher
from lohrec.teacher.tokenizers import add_codewords, first_codeword, train_tokenizer


def test_codewords_are_single_tokens_after_the_others(llama_folder):
    tokenizer, model = language_models.load(str(llama_folder), None, "float32", "adaptation", True)
    words, before = len(tokenizer), model.get_input_embeddings().weight.detach().clone()
    first = add_codewords(tokenizer, model, 0)
    assert first == words == len(before)
    text = "bought <a_0><b_17> <c_255><d_3> red lamp"
    read = tokenizer(text, add_special_tokens=False)["input_ids"]
    places = [first, first + 256 + 17, first + 512 + 255, first + 768 + 3]
    assert [token for token in read if token >= first] == places
    after = model.get_input_embeddings().weight
    assert torch.equal(after[:words], before) and len(after) == words + 1024
    assert len(after[words:].unique(dim=0)) == 1024
    tied = model.get_output_embeddings().weight is after
    assert tied == model.config.tie_word_embeddings
    # A second time, nothing is added, and what was learned stays.
    assert add_codewords(tokenizer, model, 1) == first and len(tokenizer) == words + 1024
    assert torch.equal(model.get_input_embeddings().weight, after)


def test_a_tokenizer_without_codewords_is_refused():
    tokenizer = train_tokenizer(["red lamp"], 300)
    with pytest.raises(ValueError, match="out of order, or not at all"):
        first_codeword(tokenizer)


def test_spare_rows_of_a_padded_embedding_are_used(untied_llama):
    tokenizer, model = language_models.load(str(untied_llama), None, "float32", "adaptation", True)
    words = len(tokenizer)
    model.resize_token_embeddings(words + 100)
    assert add_codewords(tokenizer, model, 0) == words
    assert len(model.get_input_embeddings().weight) == words + 1024


def test_a_tokenizer_is_saved_with_the_model(untied_llama, tmp_path):
    learner = tiny_llama.text_learner(untied_llama)
    learner.tokenizer.chat_template = "{{ messages }}"
    save_teacher(learner.finish(), tmp_path / "model", learner.save_words)
    # Only what a recommender is fetched with.
    assert {path.suffix for path in (tmp_path / "model").iterdir()} <= {".json", ".safetensors"}
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert first_codeword(tokenizer) == learner.adapted.first
    text = "red <a_3><b_1>"
    assert tokenizer(text)["input_ids"] == learner.tokenizer(text)["input_ids"]
