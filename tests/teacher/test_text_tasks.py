"""Samples of text tasks, and the files that they are made from."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_llama

from lohrec.common import artefacts
from lohrec.identifiers.codewords import written
from lohrec.teacher.text_tasks import FIELDS, OF_ITEMS, TextTasks, draw, read_templates
from lohrec.teacher.texts import Texts, read_texts


def test_samples_hold_the_items_they_speak_of_and_nothing_later():
    examples, ids = tiny_llama.split()["train"], tiny_llama.identifiers()
    texts = Texts(
        *(tiny_llama.TITLES, tiny_llama.DESCRIPTIONS), {3: ["likes lamps"]}, {3: "a quiet chair"}
    )
    tasks = TextTasks(examples, ids, texts, tiny_llama.TEMPLATES, 40)
    index, rng = written(ids), np.random.default_rng(0)
    assert index[9] == "<a_1><b_1><c_4><d_0>"
    for task in FIELDS:
        population = tasks.population(task)
        assert len(population)
        beginnings = set()
        for number in population[:40].tolist() * 3:
            prompt, response = tasks.sample(task, number, rng)
            assert "{" not in prompt + response and response.strip()
            beginnings.add(prompt.split("<")[0].split('"')[0])
            if task in OF_ITEMS:
                assert index[number] in prompt + response
                continue
            history = examples.sequences[examples.start[number] : examples.stop[number]]
            target = examples.target[number]
            if "<a_" in prompt:
                assert "".join(index[item] for item in history) in prompt
            if task in ("sequential", "titles_to_index", "intention"):
                assert response == index[target] and index[target] not in prompt
        assert len(beginnings) > 1 or task == "titles_to_index", task
    # Items without a title are named by their description, or not at all.
    assert 7 in tasks.population("item_to_index") and not tiny_llama.TITLES[7]
    (row,) = tasks.population("intention")
    assert examples.user[row] == 3 and examples.stop[row] == examples.stop[examples.user == 3].max()


def test_the_mixture_and_the_limit_decide_how_often_a_task_comes():
    tasks = TextTasks(
        tiny_llama.split()["train"],
        tiny_llama.identifiers(),
        tiny_llama.TEXTS,
        tiny_llama.TEMPLATES,
        40,
    )
    rng = np.random.default_rng(0)
    mixture = {"sequential": 1.0, "item_to_index": 2.5, "titles_to_index": 0.0}
    drawn = draw(tasks, mixture, None, rng)
    count = np.bincount([index for task, index in drawn if task == "item_to_index"])
    assert set(count) == {2, 3} and count.sum() == round(2.5 * len(count))
    rows = sorted(index for task, index in drawn if task == "sequential")
    assert rows == list(range(len(tasks.examples)))
    assert {task for task, _ in drawn} == {"sequential", "item_to_index"}
    assert len(draw(tasks, mixture, 7, rng)) == 14
    tasks.templates = {"sequential": tiny_llama.TEMPLATES["sequential"]}
    with pytest.raises(ValueError, match="asks for item_to_index"):
        draw(tasks, mixture, None, rng)


def test_a_mixture_without_samples_is_refused():
    with pytest.raises(ValueError, match="Give `sequential` a share above 0"):
        tiny_llama.text_learner(None, mixture={"sequential": 0.0})


@pytest.mark.parametrize(
    ("user_texts", "words"),
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
def test_texts_of_users_that_cannot_be_used_are_refused(tmp_path, user_texts, words):
    inputs = {name: str(tmp_path / name) for name in ("catalogue", "users", "user_texts")}
    pq.write_table(pa.table({"title": ["a"], "description": [""]}), inputs["catalogue"])
    pq.write_table(pa.table({"reviewer": ["u"], "user": [0]}), inputs["users"])
    artefacts.write_json(inputs["user_texts"], user_texts)
    with pytest.raises(ValueError, match=words):
        read_texts(inputs)


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
        read_templates(tmp_path / "t.yaml")
