"""A recommender on a hub: pushed with its card, fetched by name, the same lists, and only data."""

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import local_hub
import numpy as np
import pyarrow as pa
import pytest
import write_card
import yaml
from huggingface_hub import constants
from local_hub import LocalHub

from lohrec.common import artefacts
from lohrec.common.artefacts import read_json, write_json, write_parquet
from lohrec.evaluation import per_user
from lohrec.serving import model_card
from lohrec.serving.command import main

MADE = {"dataset": "shop", "variant": "mine", "seed": 3, "settings": {"history": 20}}
HISTORIES = [["B001", "B002"], ["B030"], []]


@pytest.fixture(scope="module")
def model(shop) -> Path:
    """As the workflow leaves it: the model, its figures and its card."""
    place = shop.folder / "results/mine"
    shop.fit("cascade").save(place / "seed_3/model", MADE)
    values = np.random.default_rng(0).random(40)
    columns = {"recall@10": values, "sid_recall@10": values}
    tables = [per_user.table(split, np.arange(40), columns) for split in ("test", "test_kept")]
    write_parquet(place / "seed_3/per_user.parquet", pa.concat_tables(tables))
    figures = {"recall@10": {"mean": float(values.mean()), "std": None}}
    write_json(
        place / "metrics.json", MADE | {"seeds": [3], "exclude_history": True, "test": figures}
    )
    counts = {"users": 40, "items": 60, "interactions": 280, "sparsity": 0.9}
    write_json(shop.folder / "statistics.json", counts)
    write_card.main(
        str(place / "seed_3/model/recommender.json"),
        str(place / "seed_3/per_user.parquet"),
        str(shop.folder / "statistics.json"),
        str(place / "seed_3/README.md"),
        {"source": "table", "category": None, "terms": "ours alone"},
    )
    return place / "seed_3"


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[LocalHub]:
    with local_hub.running() as hub:
        files = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_right")
        yield hub


@pytest.fixture
def lohrec(capfd):
    """The command: its status, and what it prints."""

    def run(*given: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(one) for one in given])
        return status, *capfd.readouterr()

    return run


def test_what_is_pushed_comes_back_and_recommends_the_same(hub, model, tmp_path, lohrec) -> None:
    status, printed, said = lohrec("push", model, "us/shop")
    assert status == 0, said
    assert printed.strip() == f"{hub.address}/us/shop/commit/{hub.commit('us/shop')}"
    assert hub.private == {"us/shop": True}
    assert hub.files["us/shop"]["README.md"] == (model / "README.md").read_bytes()

    rows = [json.dumps({"user": str(n), "items": items}) for n, items in enumerate(HISTORIES)]
    (tmp_path / "users.jsonl").write_text("\n".join(rows))
    given = ("--histories", tmp_path / "users.jsonl", "--top", 5)
    status, fetched, said = lohrec("recommend", "--model", "hub:us/shop", *given)
    assert status == 0, said
    assert fetched == lohrec("recommend", "--model", model, *given)[1]
    assert len(fetched.splitlines()) == 16
    commit = f"hub:us/shop@{hub.commit('us/shop')}"
    for name in ("hub:us/shop", commit):
        shown = lohrec("show", name)[1]
        assert "test set, 1 seed" in shown and "recall@10" in shown and "cascade" in shown
    # A commit that was fetched once is there without the hub too.
    hub.files.clear()
    assert lohrec("show", commit)[1] == shown
    status, _, said = lohrec("show", "hub:us/other")
    assert status == 2 and "hub:us/other cannot be fetched" in said and said.count("\n") == 1


def test_only_a_readme_of_the_model_is_its_card(hub, model, tmp_path, lohrec) -> None:
    grown = tmp_path / "project/grown"
    shutil.copytree(model / "model", grown)
    (tmp_path / "project/README.md").write_text("private notes")
    status, _, said = lohrec("push", grown, "us/grown")
    assert status == 0, said
    card = hub.files["us/grown"]["README.md"]
    assert b"private" not in card and b"library_name: lohrec" in card


def test_the_card_says_what_it_must(model) -> None:
    _, header, body = (model / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(header)
    assert head["library_name"] == "lohrec" and head["license"] == "other"
    (result,) = head["model-index"][0]["results"]
    values = np.random.default_rng(0).random(40)
    assert result["dataset"] == {"name": "shop", "type": "shop", "split": "test"}
    assert result["metrics"] == [{"type": "recall@10", "value": pytest.approx(values.mean())}]
    assert "user's own history are left out" in body
    assert "terms: ours alone" in body and "40 users, 60 items, 280 interactions" in body
    (row,) = (line for line in body.splitlines() if line.startswith("| Recall@10"))
    mean, interval = (cell.strip() for cell in row.split("|")[2:4])
    low, high = map(float, interval.split(" to "))
    # Of a mean of 40 even draws: some 1.96 x 0.29 / sqrt(40) on either side.
    spread = 1.96 * values.std() / np.sqrt(40)
    assert float(mean) == pytest.approx(values.mean(), abs=1e-4)
    assert (high - low) / 2 == pytest.approx(spread, rel=0.15)
    settings = yaml.safe_load(body.split("```yaml\n")[1].split("```")[0])
    assert settings == MADE["settings"]


def test_a_file_that_was_changed_on_the_hub_is_refused(hub, model, lohrec) -> None:
    lohrec("push", model, "us/shop", "--public")
    assert hub.private == {"us/shop": False}
    name = "retriever/items.json"
    hub.files["us/shop"][name] = hub.files["us/shop"][name].replace(b"B001", b"B991")
    status, _, said = lohrec("show", "hub:us/shop")
    assert status == 2 and f"{name} is not the file that was saved" in said


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname"])
def test_files_of_others_are_not_pushed(hub, model, tmp_path, lohrec, name) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (tmp_path / "secret").write_text("mine")
    about = read_json(copy / "model/recommender.json")
    about["sha256"][name] = ""
    write_json(copy / "model/recommender.json", about)
    status, _, said = lohrec("push", copy, "us/other")
    assert status == 2 and "which is not in its folder" in said and "us/other" not in hub.files


class Harm:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_nothing_that_is_fetched_is_run(hub, shop, tmp_path, lohrec) -> None:
    shop.fit("teacher").save(tmp_path / "teacher", MADE)
    lohrec("push", tmp_path / "teacher", "them/bad")
    files, trap = hub.files["them/bad"], tmp_path / "trap"
    # Weights as a pickle, and a program that the configuration of transformers names.
    files["pytorch_model.bin"] = pickle.dumps(Harm(trap))
    files["harm.py"] = f"open({str(trap)!r}, 'w')".encode()
    named = {"AutoConfig": "harm.Config", "AutoModelForCausalLM": "harm.Model"}
    config = json.loads(files["config.json"]) | {"auto_map": named}
    files["config.json"] = json.dumps(config).encode()
    saved = json.loads(files["recommender.json"])
    saved["sha256"]["config.json"] = local_hub.sha256(files["config.json"])
    files["recommender.json"] = json.dumps(saved).encode()
    (tmp_path / "users.csv").write_text("user,item\nanna,B001\n")
    given = ("recommend", "--model", "hub:them/bad", "--histories", tmp_path / "users.csv")
    status, _, said = lohrec(*given)
    assert status == 0, said
    assert not trap.exists()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix in (".bin", ".py")]
    # A recommender is one of this program's own, whatever the name says.
    for name in ("../../../harm", "os", "lohrec.common.job"):
        files["recommender.json"] = json.dumps(saved | {"recommender": name}).encode()
        status, _, said = lohrec(*given)
        assert status == 2 and f"there is no {name!r}" in said
    assert not trap.exists()


def test_copies_of_a_fetched_file_stand_by_themselves(hub, model, tmp_path, lohrec) -> None:
    """Its files are links into the hub's cache: `add-items` must not take over the links."""
    lohrec("push", model, "us/shop")
    lohrec("show", "hub:us/shop")
    (fetched,) = (tmp_path / "cache").rglob("*/README.md")
    artefacts.link(fetched, tmp_path / "copy/README.md")
    assert fetched.is_symlink() and not (tmp_path / "copy/README.md").is_symlink()
    assert (tmp_path / "copy/README.md").read_bytes() == (model / "README.md").read_bytes()


def test_what_cannot_be_pushed_or_fetched_is_one_line(
    hub, model, tmp_path, lohrec, monkeypatch
) -> None:
    for given, words in (
        (("push", model, "us/shop/more"), "is no name of a model"),
        (("show", "hub:us/nothing"), "hub:us/nothing cannot be fetched"),
        (("show", "hub:not a name"), "is no name of a model"),
        (("push", tmp_path, "us/shop"), "holds no recommender"),
    ):
        status, printed, said = lohrec(*given)
        assert (status, printed, said.count("\n")) == (2, "", 1), said
        assert words in said
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    status, _, said = lohrec("push", model, "us/shop")
    assert status == 2 and "hf auth login" in said and not hub.files


def test_a_recommender_without_a_workflow_has_a_card_too(shop, tmp_path) -> None:
    shop.fit("popularity").save(tmp_path)
    card = model_card.text(tmp_path)
    assert "None: it was not evaluated." in card and "popularity" in card
    assert yaml.safe_load(card.split("---\n")[1])["tags"]
