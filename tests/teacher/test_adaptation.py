"""Language models made ready to learn identifiers, and those that are refused."""

import json

import pytest
import tiny_llama
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from lohrec.teacher.adaptation import check_architecture


def test_lora_trains_new_rows_only_and_merging_keeps_the_outputs(llama_folder):
    learner = tiny_llama.text_learner(llama_folder)
    network, first = learner.network, learner.adapted.first
    learned = {name for name, p in network.named_parameters() if p.requires_grad}
    rows = {name for name in learned if "trainable_tokens" in name}
    assert len(rows) == (1 if network.config.tie_word_embeddings else 2)
    assert sum("lora_" in name for name in learned) == 2 * 7 * 2 and len(learned) == 28 + len(rows)

    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network.train()
    for step in learner.epoch(0)[:2]:
        for part in learner.parts(step):
            learner.loss(part.content).backward()
        optimizer.step()
    changed = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    assert changed == learned

    tokens = torch.randint(0, first + 1024, (3, 17))
    with torch.no_grad():
        expected = network.eval()(tokens).logits
        merged = learner.finish()
        torch.testing.assert_close(merged(tokens).logits, expected, atol=1e-4, rtol=1e-4)
    original = AutoModelForCausalLM.from_pretrained(llama_folder)
    for name in ("get_input_embeddings", "get_output_embeddings"):
        old, new = (getattr(model, name)().weight for model in (original, merged))
        assert torch.equal(new[:first], old)
        assert not torch.equal(new[first:], before_rows(before, name, first, merged))


def before_rows(before, name, first, merged):
    """The codewords' rows before the training, where they are one matrix or two."""
    layer = "embed_tokens" if name == "get_input_embeddings" else "lm_head"
    if merged.config.tie_word_embeddings:
        layer = "embed_tokens"
    rows = [p for n, p in before.items() if f"{layer}.original_module.weight" in n]
    rows = rows or [p for n, p in before.items() if layer in n and p.shape[0] > 1024]
    return rows[0][first : first + 1024]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
def test_architectures_that_keep_samples_apart_are_accepted(kind):
    config = AutoConfig.for_model(
        kind, vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    torch.manual_seed(0)
    check_architecture(AutoModelForCausalLM.from_config(config))


def test_an_architecture_with_a_softcap_is_refused():
    config = AutoConfig.for_model(
        "gemma2", vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.01,
    )  # fmt: skip
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="'gemma2' cannot be the teacher"):
        check_architecture(AutoModelForCausalLM.from_config(config))


def test_a_checkpoint_is_checked_without_loading_it(untied_llama, tmp_path, monkeypatch):
    import shutil

    import check_language_model
    import huggingface_hub

    settings, none = tiny_llama.settings(untied_llama), {"count": 0, "memory_gb": 0}
    check_language_model.main(settings, none, tmp_path / "r.json")
    model = AutoModelForCausalLM.from_pretrained(untied_llama)
    assert f'"parameters": {model.num_parameters()}' in (tmp_path / "r.json").read_text()
    with pytest.raises(RuntimeError, match="does not fit into 0 GB"):
        check_language_model.main(settings, {"count": 1, "memory_gb": 1e-4}, tmp_path / "r.json")

    import fetch_text_model

    fetch_text_model.main({"model": str(untied_llama), "revision": None}, tmp_path / "t.json")
    found = json.loads((tmp_path / "t.json").read_text())
    assert found["parameters"] == model.num_parameters() and found["model_type"] == "llama"
    with pytest.raises(FileNotFoundError, match=r"text\.model .* cannot be loaded"):
        fetch_text_model.main({"model": str(tmp_path), "revision": None}, tmp_path / "no.json")
    assert not (tmp_path / "no.json").exists()

    def run(model, revision=None):
        settings["adaptation"] |= {"model": str(model), "revision": revision}
        check_language_model.main(settings, none, tmp_path / "r.json")

    with pytest.raises(FileNotFoundError, match=r"cannot be loaded.*\n.*safetensors"):
        run(tmp_path)
    GPT2LMHeadModel(
        GPT2Config(vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    ).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(ValueError, match="of type 'gpt2', whose layers are not LLaMA's"):
        run(tmp_path / "gpt2")
    settings["adaptation"]["modules"] = ["qkv_proj"]
    with pytest.raises(ValueError, match="names qkv_proj; there is: q_proj"):
        run(untied_llama)
    settings["adaptation"]["modules"] = ["q_proj"]
    broken = shutil.copytree(untied_llama, tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(FileNotFoundError, match="shorter than its header says"):
        run(broken)
    (broken / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="cannot be loaded"):
        run(broken)
    with pytest.raises(ValueError, match=r"adaptation\.revision 'main' is no commit"):
        run("some/model", "main")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="HF_HUB_OFFLINE=1"):
        run("some/model", "a" * 40)
