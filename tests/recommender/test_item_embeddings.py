import embed_codewords
import numpy as np
import pytest
import test_generator_training
import test_teacher
import torch
from transformers import LlamaForCausalLM, T5ForConditionalGeneration

from lohrec.recommender.networks.t5 import T5
from lohrec.teacher import model as teacher

IDS = np.random.default_rng(0).integers(256, size=(30, 4)).astype(np.int16)


@pytest.mark.parametrize("recommender", ["generative", "cascade", "teacher"])
def test_an_item_is_the_mean_of_its_codewords_in_the_models_own_table(recommender, tmp_path):
    torch.manual_seed(0)
    if recommender == "teacher":
        teacher.save(teacher.build(test_teacher.SETTINGS), tmp_path / "model")
        reference = LlamaForCausalLM
    else:
        T5(test_generator_training.SETTINGS).save(tmp_path / "model")
        reference = T5ForConditionalGeneration
    np.save(tmp_path / "ids.npy", IDS)
    model = str(tmp_path / "model/model.safetensors")
    embed_codewords.main(model, tmp_path / "ids.npy", tmp_path / "v.npy", recommender)

    table = reference.from_pretrained(tmp_path / "model").get_input_embeddings().weight.detach()
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.dtype == np.float32 and vectors.shape == (30, table.shape[1])
    for item, codewords in enumerate(IDS.astype(int)):
        rows = [table[level * 256 + code] for level, code in enumerate(codewords)]
        np.testing.assert_allclose(vectors[item], torch.stack(rows).mean(0), atol=1e-6)
