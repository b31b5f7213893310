"""`lohrec recommend`, `similar` and `show`, as somebody types them."""

import csv
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lohrec.common.artefacts import write_json
from lohrec.recommender.recommender import Recommender, item_vectors
from lohrec.serving import list_files
from lohrec.serving.command import main

MADE = {
    **{"dataset": "shop", "variant": "mine", "seed": 3, "settings": {"history": 20}},
    "machine": "a box",
}


@pytest.fixture(scope="module")
def model(shop) -> Path:
    folder = shop.folder / "results/mine/seed_3/model"
    shop.fit("generative").save(folder, MADE)
    return folder


def lohrec(capfd, *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    return status, *capfd.readouterr()


@pytest.fixture
def given(tmp_path, shop) -> tuple[Path, list[str], list[list[str]]]:
    """A file of histories, with its users and their histories: known, partly unknown, empty."""
    names = shop.catalogue.names
    users = ["anna", "0042", "nobody", "Zoë"]
    items = [names[:3], ["no such", names[7]], [], names[:30] + names[5:20]]
    lines = [json.dumps({"user": u, "items": i}) for u, i in zip(users, items, strict=True)]
    (tmp_path / "histories.jsonl").write_text("\n".join(lines))
    return tmp_path / "histories.jsonl", users, items


@pytest.mark.parametrize("batch", [1, 3, 100])
@pytest.mark.parametrize("own", [[], ["--exclude-history"], ["--keep-history"]])
def test_files_hold_the_lists_of_the_front_door(model, given, tmp_path, capfd, own, batch) -> None:
    path, users, items = given
    lists = Recommender.load(model).recommend(items, 5, own != ["--keep-history"])
    expected = {user: [name for name, _ in lists[place]] for place, user in enumerate(users)}
    given = ("--model", model, "--histories", path, "--top", 5, *own, "--batch", batch)
    for kind in ("parquet", "csv", "jsonl"):
        output = tmp_path / f"lists.{kind}"
        status, printed, said = lohrec(capfd, "recommend", *given, "--output", output)
        assert (status, printed) == (0, "") and "4 lists, 1 of them the most popular" in said
        assert "1 of 50 interactions" in said and "'no such'" in said
        rows = read(output)
        assert {user: [row["item"] for row in rows if row["user"] == user] for user in users} == (
            expected
        )
        assert [row["user"] for row in rows] == [user for user in users for _ in range(5)]
        assert [int(row["rank"]) for row in rows] == [1, 2, 3, 4, 5] * 4
        titles = dict(zip(lists.names, Recommender.load(model).catalogue.titles, strict=True))
        assert all(row["title"] == titles[row["item"]] for row in rows)
        scores = [score for place in range(4) for _, score in lists[place]]
        np.testing.assert_allclose([float(row["score"]) for row in rows], scores, rtol=1e-5)


def read(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    users = [json.loads(line) for line in path.read_text().splitlines()]
    assert [user["cold"] for user in users] == [False, False, True, False]
    assert [user["unknown"] for user in users] == [0, 1, 0, 0]
    return [{"user": user["user"], **item} for user in users for item in user["items"]]


def test_the_same_arguments_give_the_same_bytes(model, given, tmp_path, capfd) -> None:
    for kind in ("parquet", "csv", "jsonl"):
        outputs = [tmp_path / f"{number}.{kind}" for number in (1, 2)]
        for output in outputs:
            lohrec(
                capfd, "recommend", "--model", model, "--histories", given[0], "--output", output
            )
        assert outputs[0].read_bytes() == outputs[1].read_bytes()
    _, printed, _ = lohrec(capfd, "recommend", "--model", model, "--histories", given[0])
    assert printed.encode() == (tmp_path / "1.csv").read_bytes()


def test_whoever_reads_the_lists_may_have_enough(model, given) -> None:
    _, users, items = given
    recommender = Recommender.load(model)
    lists = recommender.recommend(items, 5)
    reader, writer = os.pipe()
    with (
        suppress(BrokenPipeError),  # of the file's end, which writes what is left
        open(writer, "w", encoding="utf-8") as stdout,
        list_files.opened("-", recommender.catalogue.titles, stdout) as write,
    ):
        write(users, lists)
        stdout.flush()
        os.close(reader)
        with pytest.raises(BrokenPipeError):  # at which the command ends in silence
            write(users, lists)
            stdout.flush()


def test_bad_input_is_one_line_and_leaves_no_file(model, tmp_path, capfd) -> None:
    path, output = tmp_path / "h.csv", tmp_path / "out/lists.csv"

    def refused(text: str, *more: object) -> str:
        path.write_text(text)
        options = ("--model", model, "--histories", path, "--output", output, *more)
        status, printed, said = lohrec(capfd, "recommend", *options)
        assert (status, printed, said.count("\n")) == (2, "", 1), said
        assert not output.exists() and not list(tmp_path.glob("out/.*"))
        return said

    fine = "user,item\nu,B001\n"
    assert "None of the 2 interactions" in refused("user,item\nB001,u\nB002,v\n")
    assert "line 3: item is empty" in refused(fine + "v,\n")
    assert "There is no file" in refused(fine, "--histories", tmp_path / "nowhere.csv")
    assert "*.parquet, *.csv or *.jsonl" in refused(fine, "--output", tmp_path / "lists.txt")
    assert "holds no recommender" in refused(fine, "--model", tmp_path)
    with pytest.raises(SystemExit) as stopped:
        refused(fine, "--top", 0)
    assert stopped.value.code == 2


def test_similar_items_are_the_nearest_by_cosine(model, shop, capfd) -> None:
    vectors = item_vectors(model)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = [float(np.dot(unit[7], row)) for row in unit]
    best = sorted(set(range(len(unit))) - {7}, key=lambda item: -cosine[item])[:4]
    status, printed, _ = lohrec(capfd, "similar", "B007", "--model", model, "--top", 4)
    rows = [line.split("\t") for line in printed.splitlines()]
    names, titles = shop.catalogue.names, shop.catalogue.titles
    assert status == 0
    assert rows == [
        [str(place), names[item], f"{cosine[item]:.4f}", titles[item]]
        for place, item in enumerate(best, 1)
    ]
    status, printed, said = lohrec(capfd, "similar", "B00", "--model", model)
    assert (status, printed) == (2, "") and "There is no item 'B00'; there are B" in said


def test_recommenders_that_embed_no_items_say_so(shop, tmp_path, capfd) -> None:
    shop.fit("popularity").save(tmp_path / "model")
    status, _, said = lohrec(capfd, "similar", "B007", "--model", tmp_path)
    assert status == 2 and "embeds no items" in said


def test_show_tells_what_a_recommender_is(model, capfd) -> None:
    write_json(
        model.parents[1] / "metrics.json",
        {
            **{"dataset": "shop", "variant": "mine", "seeds": [3], "exclude_history": True},
            "test": {"ndcg@10": {"mean": 0.25}},
        },
    )
    status, printed, _ = lohrec(capfd, "show", model.parent)
    lines = dict(line.split("  ", 1) for line in printed.splitlines())
    lines = {name: text.strip() for name, text in lines.items()}
    assert status == 0 and lines["kind"] == "generative, network t5"
    assert lines["made as"] == "dataset shop, variant mine, seed 3"
    assert lines["made on"] == "a box"
    assert lines["items"].startswith("60, 60 with a title")
    assert lines["test set, 1 seed"] == "ndcg@10 0.2500; own items left out"
    curve = json.loads((model / "training.json").read_text())
    (kept,) = [row for row in curve if row["kept"]]
    assert f"ndcg@10 {round(kept['dev_ndcg@10'], 4)}" in lines["dev set, while trained"]
    # The figures of another row are none of this one's.
    write_json(model.parents[1] / "metrics.json", {"dataset": "shop", "variant": "other"})
    assert "test set" not in lohrec(capfd, "show", model)[1]


# A process begins with the peak of the one that starts it: a shell's is small.
SHELL = ["sh", "-c", '"$@"; exit $?', "sh"]
MEASURE = """
import resource, sys
from lohrec.serving.command import main
status = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, status)
"""


def test_memory_does_not_grow_with_the_users(shop, model, tmp_path) -> None:
    """Four times the users, 25 MB more of text in and 13 MB of it out, and at most 10 MB more.

    A thousand users are enough for all that is grown once.
    """
    peaks = []
    for users in (1000, 4000):
        rng = np.random.default_rng(users)
        items = rng.integers(0, len(shop.catalogue), (20, users))
        # By time: a user's rows stand far apart.
        rows = (f"{u:0400},B{items[t, u]:03d},{t}" for t in range(20) for u in range(users))
        (tmp_path / "h.csv").write_text("user,item,time\n" + "\n".join(rows))
        options = ["recommend", "--model", model, "--histories", tmp_path / "h.csv"]
        options += ["--batch", "300"]
        done = subprocess.run(
            [*SHELL, sys.executable, "-c", MEASURE, *options, "--output", tmp_path / "l.csv"],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        peak, status = map(int, done.stdout.split())
        assert status == 0 and len((tmp_path / "l.csv").read_text().splitlines()) == users * 10 + 1
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 10 * 1024, peaks  # KB
