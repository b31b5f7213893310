"""The scripts from the teacher's training to the prior, and shards of users."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_walks

from lohrec.teacher import sharding
from lohrec.teacher.prompts import CodewordPrompts


@pytest.fixture(scope="module")
def data():
    return tiny_walks.data()


def test_scripts_make_the_teachers_artefacts(data, tmp_path):
    import gather_shards
    import generate_candidates
    import order_candidates
    import score_codewords
    import train_teacher

    examples, ids = data
    columns = {"split": [], "user": [], "start": [], "stop": []}
    for name, part in examples.items():
        columns["split"] += [name] * len(part)
        for key in ("user", "start", "stop"):
            columns[key] += getattr(part, key).tolist()
    columns["split"] = pa.array(columns["split"]).dictionary_encode()
    pq.write_table(pa.table(columns), tmp_path / "examples.parquet")
    np.save(tmp_path / "sequences.npy", examples["train"].sequences)
    np.save(tmp_path / "ids.npy", ids)
    common = [str(tmp_path / name) for name in ("sequences.npy", "examples.parquet", "ids.npy")]
    run = [{}, {"count": 0, "memory_gb": 0}, 1]
    model = str(tmp_path / "teacher" / "model" / "model.safetensors")

    names = ("sequences", "examples", "ids")
    inputs = dict(zip(names, common, strict=True)) | {"statistics": "not read"}
    outputs = {"model": model, "history": str(tmp_path / "teacher" / "history.parquet")}
    section = {"kind": "scratch", "network": tiny_walks.SETTINGS, "training": tiny_walks.SETTINGS}
    settings = {"teacher": section}
    train_teacher.main(inputs, outputs, settings, True, {}, run[1] | {"nodes": 1}, 1)
    candidates = {"beams": 5, "keep": 4, "constrained": False, "bf16": False}
    beams = str(tmp_path / "teacher" / "beams.npy")
    report = str(tmp_path / "teacher" / "report.json")
    sharding = {"folds": 1, "shards": 3}
    settings = {"candidates": candidates, "sharding": sharding}
    shards = [str(tmp_path / "shards" / f"{n}.npy") for n in range(3)]
    for number, shard in enumerate(shards):
        generate_candidates.main(*common, model, shard, number, settings, 16, *run)
    gather_shards.main(shards, *common[:2], beams, sharding)
    probabilities = str(tmp_path / "teacher" / "probabilities.npy")
    scoring = {"codewords": "level"}
    settings = {"probabilities": scoring, "sharding": sharding}
    for number, shard in enumerate(shards):
        score_codewords.main(*common, model, shard, number, settings, 16, *run)
    gather_shards.main(shards, *common[:2], probabilities, sharding)
    for prior in ("teacher", "distance", "cooccurrence"):
        given = str(tmp_path / f"{prior}.npy"), report, prior, candidates
        order_candidates.main(*common, *given, beams if prior == "teacher" else None)

    train = examples["train"]
    assert np.load(beams).shape == (len(train), 5, 4)
    scores = np.load(probabilities)
    assert scores.shape == (len(train), 4, 256) and scores.dtype == np.float16
    np.testing.assert_allclose(scores.astype(float).sum(-1), 1, atol=5e-3)
    for name in ("teacher", "distance", "cooccurrence"):
        prior = np.load(tmp_path / f"{name}.npy")
        assert prior.shape == (len(train), 4) and prior.dtype == np.int32
        np.testing.assert_array_equal(prior[:, 0], train.target)
    # It waits until the workflow has recorded the outputs.
    left = [path.name for path in (tmp_path / "teacher").glob(".*")]
    assert left == [".history.parquet.checkpoint"]


def test_a_shard_without_users_has_no_batches(data):

    examples, ids = data
    _, none = sharding.shard(examples["train"], 5000, 1, 10_000)
    assert len(none) == 0 and CodewordPrompts(none, ids).batches(4) == []
