"""docs/your_data.md: raw files of each layout become lists by its rows and its commands."""

import csv
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import small_workflow
import tiny_tables
import yaml
from conftest import ROOT
from tiny_tables import ITEMS, LENGTH, ROWS, USERS, asin, reviewer

from lohrec.serving.command import main

PAGE = (ROOT / "docs/your_data.md").read_text().replace("\\\n", "")
BLOCKS = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
SHORT, NAMED, CLICKS, MINILM, BOOKS = (
    next(iter(block["datasets"].values())) for block in BLOCKS if "datasets" in block
)
(ENSEMBLE,) = (block for block in BLOCKS if "datasets" not in block)
TRAIN = re.findall(r"^snakemake .* -- (\S+)$", PAGE, re.MULTILINE)
RECOMMEND = dict(
    zip(
        ("shop", "named", "movielens"), re.findall("^lohrec (.*)$", PAGE, re.MULTILINE), strict=True
    )
)
OF_2023 = re.findall(r"Amazon's reviews of 2023 with\s+`(.*?)`", PAGE)[0]
RECBOLE = {"recipe": "recbole", "interactions": "x.inter", "items": "x.item"}
ROWS_OF_DATASETS = {
    "shop": SHORT,
    "named": NAMED,
    "clicks": CLICKS,
    "books": BOOKS,
    "atomic": {"source": "table", "settings": {"sources": {"table": RECBOLE}}},
    "movielens": {},  # as it is shipped
}
OTHERS = {
    "clicks": "--histories resources/raw/clicks.parquet",
    "books": f"--histories resources/raw/Books.jsonl.gz {OF_2023}",
    "atomic": "--histories resources/raw/x.inter",
}
# What users and items are called in each.
NAMES: dict[str, tuple[Callable[[int], str], Callable[[int], str]]] = {
    "shop": ("K, {}".format, "00{}".format),
    "named": ("K, {}".format, "00{}".format),
    "clicks": ("ü{}".format, "{}".format),
    "books": (reviewer, asin),
    "atomic": ("u{}".format, "i{}".format),
    "movielens": (lambda user: f"{user + 1}", lambda item: f"{item + 1}"),
}


def shop(raw: Path, prefix: str, number: int) -> None:
    """The tables of a shop, with the headers that the page shows."""
    shown = re.findall(r"orders\.csv +products\.csv\n(\S+) +(\S+)\n", PAGE)[number]
    orders = [
        [f'"K, {u}"', f"00{i}", datetime.fromtimestamp(t, UTC).isoformat(), r]
        for u, i, r, t in ROWS
    ]
    products = [[f"00{i}", f"Lamp {i}", '"Two\nlines"', "Light"] for i in range(ITEMS)]
    for name, rows, header in zip(("orders", "products"), (orders, products), shown, strict=True):
        columns = header.split(",")
        lines = [columns, *(row[: len(columns)] for row in rows)]
        tiny_tables.text(raw / f"{prefix}{name}.csv", lines, ",")


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    """Recommenders of all of them, by one run."""
    folder = small_workflow.copied(tmp_path_factory.mktemp("workflow"))
    raw = folder / "resources/raw"
    raw.mkdir(parents=True)
    shop(raw, "", 0)
    shop(raw, "named_", 1)
    NAMED["settings"]["sources"]["table"] |= {
        "interactions": "named_orders.csv", "items": "named_products.csv",
    }  # fmt: skip
    rows = [(f"ü{u}", i, t) for u, i, _, t in ROWS]
    pl.DataFrame(rows, ["user", "item", "time"], orient="row").write_parquet(raw / "clicks.parquet")
    made = tiny_tables.amazon_2023(raw)
    made.interactions.rename(raw / "Books.jsonl.gz")
    made.items.rename(raw / "meta_Books.jsonl.gz")
    tiny_tables.recbole(raw)
    tiny_tables.movielens_100k(raw)
    small = {
        "presets": {"laptop": {"ingest": {"core": 3}}},
        "datasets": ROWS_OF_DATASETS | {"games_minilm": MINILM},
        **ENSEMBLE,
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(small))
    small_workflow.run(folder, *(f"results/{name}/popularity/seed_0/model/recommender.json"
                                 for name in ROWS_OF_DATASETS))  # fmt: skip
    return folder


def test_the_targets_of_the_page_can_be_made(workflow: Path) -> None:
    assert len(TRAIN) == 3
    compared = [f"results/{name}/comparison.md" for name in ROWS_OF_DATASETS]
    assert "compare" in small_workflow.run(workflow, "-n", "--", *TRAIN, *compared)


def test_the_ensemble_of_the_page_can_be_made(workflow: Path) -> None:
    planned = small_workflow.run(workflow, "-n", "--", "results/shop/distill_compact/metrics.json")
    trained = set(re.findall(r"results/shop/(\w+)/seed_0/model", planned))
    assert {"tiger_compact", "sasrec", "distill_compact"} <= trained
    assert "ease" not in trained


@pytest.mark.parametrize("name", ROWS_OF_DATASETS)
def test_raw_files_become_lists(workflow: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workflow)
    command = RECOMMEND.get(name, f"recommend --model {{}} {OTHERS.get(name)} --output lists.csv")
    arguments = shlex.split(command)
    arguments[2] = f"results/{name}/popularity/seed_0"
    if name == "named":
        arguments[4] = "resources/raw/named_orders.csv"
    assert main(arguments) == 0
    with open("lists.csv", encoding="utf-8", newline="") as file:
        listed = [(row["user"], row["item"]) for row in csv.DictReader(file)]
    user, item = NAMES[name]
    # Each has four of six items one after the other, and gets the other two.
    assert sorted(listed) == sorted(
        (user(u), item((u + LENGTH + n) % ITEMS)) for u in range(USERS) for n in (0, 1)
    )
