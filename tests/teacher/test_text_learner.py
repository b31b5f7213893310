"""Training a teacher with words, its prompts and its beams."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_llama
import torch
from conftest import ROOT
from transformers import AutoModelForCausalLM

from lohrec.common import artefacts, processes
from lohrec.identifiers.codewords import written
from lohrec.teacher import training, training_job
from lohrec.teacher.beams import generate_beams
from lohrec.teacher.model import load_teacher, save_teacher
from lohrec.teacher.probabilities import answer_logits
from lohrec.teacher.prompts import load_words, prompts_for
from lohrec.teacher.training import train_teacher

CPU = torch.device("cpu")
torch.set_num_threads(1)


def test_prompts_are_those_of_training_with_the_answer_behind(untied_llama):
    learner, examples = tiny_llama.text_learner(untied_llama), tiny_llama.split()["dev"]
    prompts = learner.prompts(examples)
    part = prompts.batches(8)[1]
    with_answer, without = prompts.batch(part, True), prompts.batch(part, False)
    for number, example in enumerate(part):
        history = examples.sequences[examples.start[example] : examples.stop[example]]
        index = written(tiny_llama.identifiers())
        prompt = tiny_llama.TEMPLATES["sequential"][0].prompt.format(
            history="".join(index[item] for item in history)
        )
        (sample,) = learner.samples([(prompt, index[examples.target[example]])])
        n = int(without.length[number])
        assert n == sample.prompt
        assert without.tokens[number, :n].tolist() == sample.tokens[:n].tolist()
        expected = sample.tokens[: n + 4].tolist()
        assert with_answer.tokens[number, : n + 3].tolist() == expected[:-1]
        assert with_answer.answer[number].tolist() == expected[-4:]
    with torch.no_grad():
        logits = answer_logits(learner.network.eval(), with_answer)
        n = int(with_answer.length[2])
        row = with_answer.tokens[2:3, : n + 3]
        expected = learner.network(row).logits[0, n - 1 :]
    torch.testing.assert_close(logits[2], expected, atol=1e-4, rtol=1e-4)


def test_a_history_that_no_row_holds_is_refused(untied_llama):
    examples = tiny_llama.split()["train"]
    longest = int(examples.length.max())
    assert tiny_llama.text_learner(untied_llama, row_tokens=4 * longest + 100)
    with pytest.raises(ValueError, match=rf"row_tokens \(32\) .* {longest} items.*ingest.history"):
        tiny_llama.text_learner(untied_llama, row_tokens=32)


def test_beams_over_the_whole_vocabulary_equal_generate_whatever_its_filters(
    untied_llama, tmp_path
):
    learner = tiny_llama.text_learner(untied_llama, epochs=2)
    train, _ = train_teacher(learner, tiny_llama.split()["dev"], False, CPU)
    save_teacher(train, tmp_path / "model", learner.save_words)
    # Filters that a checkpoint may come with must not reach the beams.
    (tmp_path / "model/generation_config.json").write_text(
        '{"do_sample": true, "top_k": 3, "top_p": 0.5, "temperature": 0.2}'
    )
    model = load_teacher(tmp_path / "model")
    dev = tiny_llama.split()["dev"]
    prompts = prompts_for(load_words(tmp_path / "model"), dev, tiny_llama.identifiers())
    kinds = set()
    for part in prompts.batches(7)[:2]:
        batch = prompts.batch(part, with_answers=False)
        beams = generate_beams(model, batch, 25, prompts.first)
        for row, n in enumerate(batch.length.tolist()):
            prompt = batch.tokens[row : row + 1, :n]
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
                beams.score[row], expected.sequences_scores, atol=1e-4, rtol=0
            )
            assert torch.equal(beams.token[row], expected.sequences[:, n:])
        kinds |= set(beams.codewords.clamp(max=0).unique().tolist())
    assert 0 in kinds


# Checkpoints at evaluations, or at every step.
@pytest.mark.parametrize("seconds", [300, 0])
def test_training_resumes_after_a_kill_with_the_same_result(
    untied_llama, tmp_path, monkeypatch, seconds
):
    monkeypatch.setattr("lohrec.common.training.SAVE_SECONDS", seconds)
    dev = tiny_llama.split()["dev"]

    def run(path):
        learner = tiny_llama.text_learner(untied_llama)
        model, history = train_teacher(learner, dev, False, CPU, path, "this")
        return model.state_dict(), history

    whole, history = run(tmp_path / "a.pt")
    assert len(history) == 3
    loss = history["loss"].to_pylist()
    assert loss[-1] < loss[0]
    assert min(history["tokens_per_second"].to_pylist()) > 0

    evaluate, left = training.accuracy, iter(range(2))

    def killed(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(training, "accuracy", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b.pt")
    monkeypatch.setattr(training, "accuracy", evaluate)
    again, resumed = run(tmp_path / "b.pt")
    columns = [name for name in history.column_names if "second" not in name]
    assert resumed.select(columns).equals(history.select(columns))
    for name, value in whole.items():
        assert torch.equal(value, again[name]), name


def test_a_small_model_learns_words_and_identifiers_from_nothing():
    settings = {"epochs": 120, "dropout": 0.0, "method": "full", "mixture": {"index_to_item": 1.0}}
    learner = tiny_llama.text_learner(None, **settings, checkpointing=False, batch_size=8)
    model, history = train_teacher(learner, tiny_llama.split()["dev"], False, CPU)
    assert history["loss"][-1].as_py() < 0.5 * history["loss"][0].as_py()
    index = written(tiny_llama.identifiers())
    right = 0
    for item in range(10, 20):
        prompt = tiny_llama.TEMPLATES["index_to_item"][0].prompt.format(index=index[item])
        read = learner.tokenizer(prompt, return_tensors="pt")
        answer = model.generate(**read, max_new_tokens=12, do_sample=False)
        title = learner.tokenizer.decode(
            answer[0, read["input_ids"].shape[1] :], skip_special_tokens=True
        )
        right += title.strip() == tiny_llama.TITLES[item]
    assert right >= 7


# Starts its command once for each task, here, as the real one does on as many nodes.
SRUN = """#!/bin/sh
echo "$@" > {asked}
while [ "${{1#--}}" != "$1" ]; do
  case $1 in --ntasks=*) tasks=${{1#*=}};; esac
  shift
done
for task in $(seq $tasks); do
  "$@" & started="$started $!"
done
for process in $started; do
  wait $process || status=1
done
exit ${{status:-0}}
"""


def test_two_processes_train_what_one_trains_on_one_node_and_on_two(
    untied_llama, tmp_path, monkeypatch
):
    """Under torchrun on the CPU; on GPUs only the backend of the sums is another."""
    srun = tmp_path / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(SRUN.format(asked=tmp_path / "asked"))
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
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
        "statistics": "not read",
    }
    settings = tiny_llama.settings(untied_llama, dropout=0.0, evaluations=1, batch_size=48)
    results = []
    for count, nodes in ((1, 1), (2, 1), (1, 2)):
        folder = tmp_path / f"{count} {nodes}"
        outputs = {
            "model": str(folder / "model/model.safetensors"),
            "history": str(folder / "history.parquet"),
        }
        folder.mkdir()
        job = [inputs, outputs, settings, True, None, {}, {"count": 0, "memory_gb": 0}, 1]
        artefacts.write_json(folder / "job.json", job)
        path = [str(folder / "job.json")]
        if count * nodes == 1:
            training_job.run_training(*job)
        else:
            processes.launch("lohrec.teacher.training_job", path, count, nodes)
        assert (tmp_path / "asked").exists() == (nodes > 1)
        row = pq.read_table(outputs["history"]).to_pylist()[0]
        results.append((row, AutoModelForCausalLM.from_pretrained(folder / "model").state_dict()))
    (one, alone), (two, together), (_, spread) = results
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("--nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=1 ")
    assert all(torch.equal(spread[name], value) for name, value in together.items())
    for name in ("loss", "dev_loss", "dev_recall@10"):
        assert one[name] == pytest.approx(two[name], abs=1e-4)
    # AdamW divides by the gradients' size, which lifts rounding where they are all but zero.
    differ = torch.cat([(alone[n] - together[n]).abs().flatten() for n in alone])
    assert differ.median() < 1e-5 and (differ > 1e-3).float().mean() < 0.01
    original = AutoModelForCausalLM.from_pretrained(untied_llama).state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert (alone[name] - original[name]).abs().mean() > 1e-4
