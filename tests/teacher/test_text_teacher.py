"""A teacher with words: vocabulary, tasks, packing, LoRA, training and beams."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_llama
import torch
from conftest import ROOT
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from lohrec.common import artefacts, devices, language_models, processes
from lohrec.common import training as runs
from lohrec.teacher import (
    adaptation,
    memory_plan,
    sequence_packing,
    text_tasks,
    tokenizers,
    training_steps,
)
from lohrec.teacher import beams as teacher_beams
from lohrec.teacher import job as teacher_job
from lohrec.teacher import model as teacher
from lohrec.teacher import prompts as questions
from lohrec.teacher import training as teacher_training

CPU = torch.device("cpu")
torch.set_num_threads(1)
TEMPLATES = text_tasks.read_templates(ROOT / "config/tasks/english.yaml")
TEXTS = text_tasks.Texts(tiny_llama.TITLES, tiny_llama.DESCRIPTIONS)


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def folder(request, tmp_path_factory):
    return tiny_llama.checkpoint(tmp_path_factory.mktemp("llama"), request.param)


@pytest.fixture(scope="module")
def untied(tmp_path_factory):
    return tiny_llama.checkpoint(tmp_path_factory.mktemp("llama"))


def taught(folder, **changes):
    settings = tiny_llama.settings(folder, **changes)
    train = tiny_llama.split()["train"]
    groups = tiny_llama.groups(settings)
    return training_steps.TextLessons(train, tiny_llama.identifiers(), groups, TEXTS, TEMPLATES)


def test_codewords_are_single_tokens_after_the_others(folder):
    tokenizer, model = language_models.load(str(folder), None, "float32", "adaptation", True)
    words, before = len(tokenizer), model.get_input_embeddings().weight.detach().clone()
    first = tokenizers.add_codewords(tokenizer, model, 0)
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
    assert tokenizers.add_codewords(tokenizer, model, 1) == first and len(tokenizer) == words + 1024
    assert torch.equal(model.get_input_embeddings().weight, after)


def test_a_tokenizer_without_codewords_is_refused():
    tokenizer = tokenizers.train_tokenizer(["red lamp"], 300)
    with pytest.raises(ValueError, match="out of order, or not at all"):
        tokenizers.first_codeword(tokenizer)


def test_a_mixture_without_samples_is_refused():
    with pytest.raises(ValueError, match="Give `sequential` a share above 0"):
        taught(None, mixture={"sequential": 0.0})


def test_spare_rows_of_a_padded_embedding_are_used(untied):
    tokenizer, model = language_models.load(str(untied), None, "float32", "adaptation", True)
    words = len(tokenizer)
    model.resize_token_embeddings(words + 100)
    assert tokenizers.add_codewords(tokenizer, model, 0) == words
    assert len(model.get_input_embeddings().weight) == words + 1024


def test_lora_trains_new_rows_only_and_merging_keeps_the_outputs(folder):
    own = taught(folder)
    network, first = own.network, own.adapted.first
    learned = {name for name, p in network.named_parameters() if p.requires_grad}
    rows = {name for name in learned if "trainable_tokens" in name}
    assert len(rows) == (1 if network.config.tie_word_embeddings else 2)
    assert sum("lora_" in name for name in learned) == 2 * 7 * 2 and len(learned) == 28 + len(rows)

    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network.train()
    for step in own.epoch(0)[:2]:
        for part in own.parts(step):
            own.loss(part.content).backward()
        optimizer.step()
    changed = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    assert changed == learned

    tokens = torch.randint(0, first + 1024, (3, 17))
    with torch.no_grad():
        expected = network.eval()(tokens).logits
        merged = own.finish()
        torch.testing.assert_close(merged(tokens).logits, expected, atol=1e-4, rtol=1e-4)
    original = AutoModelForCausalLM.from_pretrained(folder)
    for name in ("get_input_embeddings", "get_output_embeddings"):
        old, new = (getattr(model, name)().weight for model in (original, merged))
        assert torch.equal(new[:first], old)
        assert not torch.equal(new[first:], before_rows(before, name, first, merged))


def before_rows(before, name, first, merged):
    """The codewords' rows before the training, where they are one matrix or two."""
    layer = "embed_tokens" if name == "get_input_embeddings" else "lm_head"
    if merged.config.tie_word_embeddings:
        layer = "embed_tokens"
    found = [p for n, p in before.items() if f"{layer}.original_module.weight" in n]
    found = found or [p for n, p in before.items() if layer in n and p.shape[0] > 1024]
    return found[0][first : first + 1024]


def test_packed_samples_do_not_see_each_other(untied):
    own = taught(untied, dropout=0.0)
    drawn = own.epoch(0)[0][1]
    rng = np.random.default_rng(0)
    samples = own.samples([own.tasks.sample(task, index, rng) for task, index in drawn])
    length = np.array([len(sample.tokens) for sample in samples])
    rows = sequence_packing.fill_rows(length, 256)
    assert sorted(index for row in rows for index in row) == list(range(len(samples)))
    assert all(length[row].sum() <= 256 for row in rows) and len(rows) < len(samples) / 2
    network = own.network.eval()
    with torch.no_grad():
        found = sequence_packing.loss(network, sequence_packing.pack(samples, rows))
        alone, count = 0.0, 0
        for sample in samples:
            tokens = torch.from_numpy(sample.tokens)[None]
            logits = network(tokens).logits[0, sample.prompt - 1 : -1]
            alone += F.cross_entropy(logits, tokens[0, sample.prompt :], reduction="sum")
            count += len(logits)
    torch.testing.assert_close(found, alone / count, atol=1e-5, rtol=1e-5)


def test_a_step_in_parts_has_the_gradients_of_the_whole(untied):
    gradients = []
    for batch_tokens in (256, 100_000):
        own = taught(untied, batch_tokens=batch_tokens, dropout=0.0)
        parts = own.parts(own.epoch(0)[0])
        assert (len(parts) > 1) == (batch_tokens == 256)
        assert sum(part.share for part in parts) == pytest.approx(1)
        own.network.train()
        for part in parts:
            (own.loss(part.content) * part.share).backward()
        gradients.append([p.grad for p in own.network.parameters() if p.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


def test_bfloat16_changes_loss_and_gradients_by_its_rounding(untied):
    own = taught(untied, dropout=0.0)
    part = own.parts(own.epoch(0)[0])[0]
    own.network.train()
    losses, gradients = [], []
    for bf16 in (False, True):
        own.network.zero_grad()
        with devices.autocast(CPU, bf16):
            loss = own.loss(part.content)
        loss.backward()
        losses.append(loss)
        learned = [p.grad for p in own.network.parameters() if p.requires_grad]
        assert {gradient.dtype for gradient in learned} == {torch.float32}
        gradients.append(torch.cat([gradient.flatten() for gradient in learned]))
    torch.testing.assert_close(*losses, rtol=0.02, atol=0)
    assert F.cosine_similarity(*gradients, dim=0) > 0.98
    assert not torch.equal(*gradients)


def test_samples_hold_the_items_they_speak_of_and_nothing_later():
    examples, ids = tiny_llama.split()["train"], tiny_llama.identifiers()
    texts = text_tasks.Texts(
        *(tiny_llama.TITLES, tiny_llama.DESCRIPTIONS), {3: ["likes lamps"]}, {3: "a quiet chair"}
    )
    own = text_tasks.Tasks(examples, ids, texts, TEMPLATES, 40)
    index, rng = text_tasks.index_texts(ids), np.random.default_rng(0)
    assert index[9] == "<a_1><b_1><c_4><d_0>"
    for task in text_tasks.FIELDS:
        population = own.population(task)
        assert len(population)
        said = set()
        for number in population[:40].tolist() * 3:
            prompt, response = own.sample(task, number, rng)
            assert "{" not in prompt + response and response.strip()
            said.add(prompt.split("<")[0].split('"')[0])
            if task in text_tasks.OF_ITEMS:
                assert index[number] in prompt + response
                continue
            history = examples.sequences[examples.start[number] : examples.stop[number]]
            target = examples.target[number]
            if "<a_" in prompt:
                assert "".join(index[item] for item in history) in prompt
            if task in ("sequential", "titles_to_index", "intention"):
                assert response == index[target] and index[target] not in prompt
        assert len(said) > 1 or task == "titles_to_index", task
    # Items without a title are asked for by their description, or not at all.
    assert 7 in own.population("item_to_index") and not tiny_llama.TITLES[7]
    (row,) = own.population("intention")
    assert examples.user[row] == 3 and examples.stop[row] == examples.stop[examples.user == 3].max()


def test_the_mixture_and_the_limit_decide_how_often_a_task_comes():
    own = text_tasks.Tasks(
        tiny_llama.split()["train"], tiny_llama.identifiers(), TEXTS, TEMPLATES, 40
    )
    rng = np.random.default_rng(0)
    mixture = {"sequential": 1.0, "item_to_index": 2.5, "titles_to_index": 0.0}
    drawn = text_tasks.draw(own, mixture, None, rng)
    count = np.bincount([index for task, index in drawn if task == "item_to_index"])
    assert set(count) == {2, 3} and count.sum() == round(2.5 * len(count))
    rows = sorted(index for task, index in drawn if task == "sequential")
    assert rows == list(range(len(own.examples)))
    assert {task for task, _ in drawn} == {"sequential", "item_to_index"}
    assert len(text_tasks.draw(own, mixture, 7, rng)) == 14
    own.templates = {"sequential": TEMPLATES["sequential"]}
    with pytest.raises(ValueError, match="asks for item_to_index"):
        text_tasks.draw(own, mixture, None, rng)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "must read"),
        ({"wishes": {}}, "must read"),
        ({"intention": ["a"]}, "intention must map users"),
        ({"preference": {"u": "likes puzzles"}}, "preference of user 'u' is 'likes puzzles'"),
        ({"preference": {"u": []}}, "preference of user 'u'"),
        ({"intention": {"u": 3}}, "intention of user 'u' is 3"),
        ({"intention": {"nobody": "a gift"}}, "knows none of the 1 users"),
    ],
)
def test_texts_of_users_that_cannot_be_used_are_refused(tmp_path, said, words):
    inputs = {name: str(tmp_path / name) for name in ("catalogue", "users", "user_texts")}
    pq.write_table(pa.table({"title": ["a"], "description": [""]}), inputs["catalogue"])
    pq.write_table(pa.table({"reviewer": ["u"], "user": [0]}), inputs["users"])
    artefacts.write_json(inputs["user_texts"], said)
    with pytest.raises(ValueError, match=words):
        teacher_job.read_texts(inputs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("sequential: []", r"t\.yaml must read tasks"),
        ("tasks: {sequential: []}", r"t\.yaml: sequential must be a list of phrasings"),
        (
            "tasks: {sequential: [{prompt: a, respons: b}]}",
            "sequential must be a list of phrasings",
        ),
        ("tasks: {sequentially: []}", "sequentially"),
        ('tasks: {sequential: [{prompt: "{past}", response: "{target}"}]}', "past"),
        (
            'tasks: {sequential: [{prompt: "{history}", response: "it is {target}"}]}',
            "nothing else",
        ),
    ],
)
def test_templates_that_cannot_be_used_are_refused(tmp_path, change, words):
    (tmp_path / "t.yaml").write_text(change)
    with pytest.raises(ValueError, match=words):
        text_tasks.read_templates(tmp_path / "t.yaml")


def test_questions_are_the_prompts_of_training_with_the_answer_behind(untied):
    own, examples = taught(untied), tiny_llama.split()["dev"]
    asking = own.ask(examples)
    part = asking.batches(8)[1]
    with_answer, without = asking.ask(part, True), asking.ask(part, False)
    for number, example in enumerate(part):
        history = examples.sequences[examples.start[example] : examples.stop[example]]
        index = text_tasks.index_texts(tiny_llama.identifiers())
        prompt = TEMPLATES["sequential"][0].prompt.format(
            history="".join(index[item] for item in history)
        )
        (sample,) = own.samples([(prompt, index[examples.target[example]])])
        n = int(without.length[number])
        assert n == sample.prompt
        assert without.tokens[number, :n].tolist() == sample.tokens[:n].tolist()
        expected = sample.tokens[: n + 4].tolist()
        assert with_answer.tokens[number, : n + 3].tolist() == expected[:-1]
        assert with_answer.answer[number].tolist() == expected[-4:]
    with torch.no_grad():
        logits = teacher.answer_logits(own.network.eval(), with_answer)
        n = int(with_answer.length[2])
        row = with_answer.tokens[2:3, : n + 3]
        expected = own.network(row).logits[0, n - 1 :]
    torch.testing.assert_close(logits[2], expected, atol=1e-4, rtol=1e-4)


def test_beams_over_the_whole_vocabulary_equal_generate_whatever_its_filters(untied, tmp_path):
    own = taught(untied, epochs=2)
    train, _ = teacher_training.train(own, tiny_llama.split()["dev"], own.training, CPU)
    teacher.save(train, tmp_path / "model", own.beside)
    # Filters that a checkpoint may come with must not reach the beams.
    (tmp_path / "model/generation_config.json").write_text(
        '{"do_sample": true, "top_k": 3, "top_p": 0.5, "temperature": 0.2}'
    )
    model = teacher.load(tmp_path / "model")
    dev = tiny_llama.split()["dev"]
    asking = questions.of(tmp_path / "model", dev, tiny_llama.identifiers())
    kinds = set()
    for part in asking.batches(7)[:2]:
        asked = asking.ask(part, answered=False)
        found = teacher_beams.answers(model, asked, 25, asking.first)
        for row, n in enumerate(asked.length.tolist()):
            prompt = asked.tokens[row : row + 1, :n]
            expected = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                num_beams=25,
                num_return_sequences=25,
                max_new_tokens=4,
                do_sample=False,
                top_k=0,
                top_p=1.0,
                temperature=1.0,
                eos_token_id=-1,
                pad_token_id=0,
                length_penalty=0.0,
                output_scores=True,
                return_dict_in_generate=True,
            )
            torch.testing.assert_close(
                found.score[row], expected.sequences_scores, atol=1e-4, rtol=0
            )
            assert torch.equal(found.token[row], expected.sequences[:, n:])
        kinds |= set(found.codewords.clamp(max=0).unique().tolist())
    assert 0 in kinds


# Checkpoints at evaluations, or at every step.
@pytest.mark.parametrize("seconds", [300, 0])
def test_training_resumes_after_a_kill_with_the_same_result(untied, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(runs, "SAVE_SECONDS", seconds)
    dev = tiny_llama.split()["dev"]

    def run(path):
        own = taught(untied)
        model, history = teacher_training.train(own, dev, own.training, CPU, path, "this")
        return model.state_dict(), history

    whole, history = run(tmp_path / "a.pt")
    assert len(history) == 3
    loss = history["loss"].to_pylist()
    assert loss[-1] < loss[0]
    assert min(history["tokens_per_second"].to_pylist()) > 0

    evaluate, left = teacher_training.accuracy, iter(range(2))

    def killed(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(teacher_training, "accuracy", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b.pt")
    monkeypatch.setattr(teacher_training, "accuracy", evaluate)
    again, resumed = run(tmp_path / "b.pt")
    columns = [name for name in history.column_names if "second" not in name]
    assert resumed.select(columns).equals(history.select(columns))
    for name, value in whole.items():
        assert torch.equal(value, again[name]), name


def test_a_small_model_learns_words_and_identifiers_from_nothing():
    settings = {"epochs": 120, "dropout": 0.0, "method": "full", "mixture": {"index_to_item": 1.0}}
    own = taught(None, **settings, checkpointing=False, batch_size=8)
    model, history = teacher_training.train(own, tiny_llama.split()["dev"], own.training, CPU)
    assert history["loss"][-1].as_py() < 0.5 * history["loss"][0].as_py()
    index = text_tasks.index_texts(tiny_llama.identifiers())
    right = 0
    for item in range(10, 20):
        prompt = TEMPLATES["index_to_item"][0].prompt.format(index=index[item])
        read = own.tokenizer(prompt, return_tensors="pt")
        said = model.generate(**read, max_new_tokens=12, do_sample=False)
        title = own.tokenizer.decode(
            said[0, read["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += title.strip() == tiny_llama.TITLES[item]
    assert right >= 7


@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
def test_architectures_that_keep_samples_apart_are_accepted(kind):
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        kind, vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    torch.manual_seed(0)
    adaptation.check_architecture(AutoModelForCausalLM.from_config(config))


def test_an_architecture_with_a_softcap_is_refused():
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        "gemma2", vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.01,
    )  # fmt: skip
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="'gemma2' cannot be the teacher"):
        adaptation.check_architecture(AutoModelForCausalLM.from_config(config))


def test_the_memory_plan_counts_what_lora_trains(folder):
    own = taught(folder)
    config = own.network.config
    counted = memory_plan.lora_parameters(
        32, 48, 2, 4, own.adaptation["modules"], config.tie_word_embeddings, 16
    )
    learned = sum(p.numel() for p in own.network.parameters() if p.requires_grad)
    assert counted == learned
    parts = memory_plan.of_network(own.network, own.planned)
    assert parts["optimiser"] == 8 * learned
    memory_plan.enough(parts, 1.0, own.remedy)
    with pytest.raises(RuntimeError, match=r"Lower adaptation\.batch_tokens"):
        memory_plan.enough(parts, 1e-4, own.remedy)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_memory_plan_counts_what_layers_keep_for_the_backward_pass(bf16):
    rng, kept = np.random.default_rng(0), []
    samples = [sequence_packing.Sample(rng.integers(0, 1000, 32), 21) for _ in range(16)]
    packed = sequence_packing.pack(samples, sequence_packing.fill_rows(np.full(16, 32), 128))
    for layers in (1, 3):
        shape = {"hidden": 64, "layers": layers, "heads": 2, "intermediate": 160}
        network = teacher.build(shape | {"dropout": 0.0, "seed": 0}).train()
        weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
        storages = {}

        def keep(tensor, weights=weights, storages=storages):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                storages[storage.data_ptr()] = storage
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            devices.autocast(CPU, bf16),
        ):
            sequence_packing.loss(network, packed)
        size = sum(storage.nbytes() for storage in storages.values())
        # bfloat16 copies of the matrices stand in the plan among the weights.
        size -= 2 * bf16 * sum(p.numel() for p in network.base_model.layers.parameters())
        step = memory_plan.Step(packed.tokens.numel(), 128, 176, False, bf16)
        parts = memory_plan.of_network(network, step)
        kept.append((size, parts["activations"] + parts["mask"]))
    (one, planned_one), (three, planned_three) = kept
    assert three - one == pytest.approx(planned_three - planned_one, rel=0.02)


def test_a_checkpoint_is_checked_without_loading_it(untied, tmp_path, monkeypatch):
    import shutil

    import check_language_model
    import huggingface_hub

    settings, none = tiny_llama.settings(untied), {"count": 0, "memory_gb": 0}
    check_language_model.main(settings, none, tmp_path / "r.json")
    model = AutoModelForCausalLM.from_pretrained(untied)
    assert f'"parameters": {model.num_parameters()}' in (tmp_path / "r.json").read_text()
    with pytest.raises(RuntimeError, match="does not fit into 0 GB"):
        check_language_model.main(settings, {"count": 1, "memory_gb": 1e-4}, tmp_path / "r.json")

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
        run(untied)
    settings["adaptation"]["modules"] = ["q_proj"]
    broken = shutil.copytree(untied, tmp_path / "broken")
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


def test_a_tokenizer_is_saved_with_the_model(untied, tmp_path):
    own = taught(untied)
    teacher.save(own.finish(), tmp_path / "model", own.beside)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizers.first_codeword(tokenizer) == own.adapted.first
    text = "red <a_3><b_1>"
    assert tokenizer(text)["input_ids"] == own.tokenizer(text)["input_ids"]


def test_two_processes_train_what_one_trains(untied, tmp_path):
    """Under torchrun on the CPU; on GPUs only the backend of the sums is another."""
    parts = tiny_llama.split(12)
    rows = {"split": [], "user": [], "start": [], "stop": []}
    for name, part in parts.items():
        rows["split"] += [name] * len(part)
        for key in ("user", "start", "stop"):
            rows[key] += getattr(part, key).tolist()
    pq.write_table(pa.table(rows), tmp_path / "examples.parquet")
    np.save(tmp_path / "sequences.npy", parts["train"].sequences)
    np.save(tmp_path / "ids.npy", tiny_llama.identifiers())
    items = {"title": tiny_llama.TITLES, "description": tiny_llama.DESCRIPTIONS}
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    inputs = {
        "sequences": str(tmp_path / "sequences.npy"),
        "examples": str(tmp_path / "examples.parquet"),
        "ids": str(tmp_path / "ids.npy"),
        "catalogue": str(tmp_path / "items.parquet"),
        "templates": str(ROOT / "config/tasks/english.yaml"),
    }
    settings = tiny_llama.settings(untied, dropout=0.0, evaluations=1, batch_size=48)
    found = []
    for count in (1, 2):
        folder = tmp_path / str(count)
        outputs = {
            "model": str(folder / "model/model.safetensors"),
            "history": str(folder / "history.parquet"),
        }
        folder.mkdir()
        job = [inputs, outputs, settings, None, {}, {"count": 0, "memory_gb": 0}, 1]
        artefacts.write_json(folder / "job.json", job)
        processes.launch("lohrec.teacher.job", [str(folder / "job.json")], count)
        row = pq.read_table(outputs["history"]).to_pylist()[0]
        found.append((row, AutoModelForCausalLM.from_pretrained(folder / "model").state_dict()))
    (one, alone), (two, together) = found
    for name in ("loss", "dev_loss", "dev_recall@10"):
        assert one[name] == pytest.approx(two[name], abs=1e-4)
    # AdamW divides by the gradients' size, which lifts rounding where they are all but zero.
    differ = torch.cat([(alone[n] - together[n]).abs().flatten() for n in alone])
    assert differ.median() < 1e-5 and (differ > 1e-3).float().mean() < 0.01
    original = AutoModelForCausalLM.from_pretrained(untied).state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert (alone[name] - original[name]).abs().mean() > 1e-4
