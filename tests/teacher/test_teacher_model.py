"""The teacher's network, saved and loaded."""

import pytest
import tiny_walks
import torch
from transformers import AutoModelForCausalLM

from lohrec.teacher.model import build_llama, load_teacher, save_teacher


def test_a_saved_teacher_is_a_transformers_model(tmp_path):
    model = build_llama(tiny_walks.SETTINGS).eval()
    folder = tmp_path / "teacher" / "model"
    folder.mkdir(parents=True)
    save_teacher(model, folder)
    tokens = torch.randint(0, 1024, (2, 9))
    with torch.no_grad():
        expected = model(tokens).logits
        torch.testing.assert_close(load_teacher(folder)(tokens).logits, expected)
        general = AutoModelForCausalLM.from_pretrained(folder)
        torch.testing.assert_close(general(tokens).logits, expected)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_wrong_sizes_and_missing_models_are_clear_errors():
    with pytest.raises(ValueError, match=r"teacher.network.hidden \(30\)"):
        build_llama(tiny_walks.SETTINGS | {"hidden": 30, "heads": 4})
    with pytest.raises(FileNotFoundError, match="train it first"):
        load_teacher("nowhere")
