import embed_codewords
import numpy as np
import pytest
import tiny_shop
import torch
from transformers import LlamaForCausalLM, T5ForConditionalGeneration

KINDS = {
    "generative": (T5ForConditionalGeneration, "."),
    "cascade": (T5ForConditionalGeneration, "ranker"),
    "teacher": (LlamaForCausalLM, "."),
}


@pytest.mark.parametrize("name", KINDS)
def test_an_item_is_the_mean_of_its_codewords_in_the_models_own_table(name, tmp_path):
    shop = tiny_shop.make(tmp_path)
    shop.fit(name).save(tmp_path / "model")
    embed_codewords.main(str(tmp_path / "model/recommender.json"), str(tmp_path / "v.npy"))

    reference, part = KINDS[name]
    read = reference.from_pretrained(tmp_path / "model" / part)
    table = read.get_input_embeddings().weight.detach()
    vectors, ids = np.load(tmp_path / "v.npy"), np.load(shop.artefacts["ids"]).astype(int)
    assert vectors.dtype == np.float32 and vectors.shape == (len(ids), table.shape[1])
    for item, codewords in enumerate(ids):
        rows = [table[level * 256 + code] for level, code in enumerate(codewords)]
        np.testing.assert_allclose(vectors[item], torch.stack(rows).mean(0), atol=1e-6)


def test_popularity_embeds_no_items(tmp_path):
    tiny_shop.make(tmp_path).fit("popularity").save(tmp_path / "model")
    with pytest.raises(ValueError, match="embeds no items"):
        embed_codewords.main(str(tmp_path / "model"), str(tmp_path / "v.npy"))
