"""The real workflow, scripts and all, from simulated reviews to metrics and comparison."""

import csv
import html
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_workflow
from conftest import ROOT
from small_workflow import VARIANTS, run

from lohrec.common import provenance
from lohrec.data.examples import read_examples


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    return small_workflow.copied(tmp_path_factory.mktemp("workflow"))


def test_reviews_to_comparison(workflow: Path) -> None:
    targets = ["results/demo/comparison.md", "results/demo/dwr/metrics.json"]
    tried = ["sweeps/mixture.md", "sweeps/width.md", "studies/tiger.md"]
    run(workflow, *targets, *(f"results/demo/{target}" for target in tried))
    results = workflow / "results/demo"

    metrics = json.loads((results / "dwr/metrics.json").read_text())
    for split in ("dev", "test"):
        for name in ("recall@5", "recall@10", "ndcg@5", "ndcg@10", "mrr@20", "diversity@10"):
            assert 0 < metrics[split][name]["mean"] < 1
        for name in ("catalogue_coverage@10", "gini@10"):
            assert 0 < metrics[split][name]["mean"] < 1
    statistics = json.loads((results / "data/statistics.json").read_text())
    assert metrics["statistics"]["users"] == statistics["users"]
    assert metrics["seeds"] == [0] and metrics["versions"]["torch"]
    saved = json.loads((results / "dwr/seed_0/model/recommender.json").read_text())
    assert saved["made"]["machine"] == provenance.processor()

    ids = np.load(results / "ids/semantic_ids.npy")
    assert len(np.unique(ids, axis=0)) == len(ids) == statistics["items"]  # no two alike

    for variant in VARIANTS:
        lists = pl.read_parquet(results / variant / "seed_0/recommendations.parquet")
        assert not lists.select("split", "user", "item").is_duplicated().any()
        assert lists["item"].is_between(0, statistics["items"] - 1).all()
        assert (lists.group_by("split", "user").agg(pl.col("rank").max())["rank"] == 20).all()
        assert lists["user"].n_unique() == statistics["users"]

    logs = workflow / "logs/demo"
    for job, training in (
        ("fit/tiger_seed_0", "training"),
        ("train_teacher", "training_the_teacher"),
        ("train_rqvae", "RQ-VAE"),
    ):
        assert len(list((logs / job / training).glob("events.out.tfevents.*"))) == 1

    table = (results / "comparison.md").read_text()
    assert all(f"| {variant}" in table for variant in VARIANTS)
    assert "<svg" in (results / "comparison.svg").read_text()
    assert "Nothing to be done" in run(workflow, "-n", *targets)


def test_the_readme_recommends_for_a_history(workflow: Path) -> None:
    """Runs after the first test, with what it has trained and names of its items."""
    program = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    known = pl.read_parquet(workflow / "results/demo/data/items.parquet")["asin"].to_list()
    names = re.findall(r'"(B[0-9A-Z]{9})"', program)
    assert len(names) == 3
    for name, there in zip(names, known[5:], strict=False):
        program = program.replace(name, there)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workflow,
        env=os.environ | {"PYTHONPATH": "workflow_scripts"},
        capture_output=True,
        check=True,
        text=True,
    )
    lists = [line.split() for line in done.stdout.splitlines()]
    items, scores = [name for name, _ in lists], [float(score) for _, score in lists]
    assert len(items) == 10 and set(items) <= set(known) - set(known[5:8])
    assert scores == sorted(scores, reverse=True) and scores[0] < 0


def test_analyses(workflow: Path) -> None:
    """Runs after the first test, on its results; the report asks for all of them."""
    folder = workflow / "results/demo/analysis"
    against = "results/demo/dwr/seed_0/generate.json"
    run(workflow, "results/demo/report.html", against)
    generators = ["tiger", "distill", "dwr"]

    widths = json.loads((folder / "beam_widths.json").read_text())
    assert widths["beams"] == [10, 20] and widths["users"] > 0
    for metric, values in widths["metrics"].items():
        # Of DTR there are lists, which its retriever's beams make.
        assert list(values) == generators + (["dtr"] if metric != "invalid" else [])
    metrics = json.loads((workflow / "results/demo/dwr/metrics.json").read_text())
    # The usual width is 20, so the figures are those of the table.
    assert widths["metrics"]["recall@10"]["dwr"][1] == metrics["test"]["recall@10"]["mean"]
    of_lists = pl.read_parquet(folder / "dtr/beams_10/recommendations.parquet")
    assert of_lists["rank"].max() == 10
    assert set(of_lists["split"]) == {"dev", "test"}  # not with own items the other way too
    assert all(
        0 <= share <= 1 for shares in widths["metrics"]["invalid"].values() for share in shares
    )

    aligned = json.loads((folder / "alignment.json").read_text())["variants"]
    assert list(aligned) == [*generators, "dwr_no_distill", "top", "random"]
    for own in aligned.values():
        assert 0 <= own["coordination"]["mean"] <= own["coverage"]["mean"] <= 1
        assert own["coverage"]["low"] <= own["coverage"]["mean"] <= own["coverage"]["high"]

    embedded = json.loads((folder / "embeddings.json").read_text())
    assert list(embedded["models"]) == generators
    for own in embedded["models"].values():
        assert 0 <= own["neighbours_shared"] <= 1 and 0 <= own["cka"] <= 1
    for name in ("embeddings", "beam_widths", "alignment", "training", "slices"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")

    cases = (folder / "cases.md").read_text()
    assert cases.count("## User") == cases.count("Next: **") == 2
    assert "| 10" in cases and "item 0" not in cases

    figure = (folder / "training.svg").read_text()
    for name in [*generators, "teacher", "NDCG@10, dev"]:
        assert f"<!-- {name} -->" in figure

    figure = (folder / "slices.svg").read_text()
    # Of baselines the reference, and the best if that is another.
    for name in [*VARIANTS[1:], "items in the history", "popularity of the target"]:
        assert f"<!-- {name} -->" in figure

    found = json.loads((workflow / against).read_text())
    assert found["identical_lists"] >= 0.99 * found["users"] > 0
    assert found["of_others_unlike_float64"]["ours"] <= 0.01 * found["users"]


def test_an_ensemble_teaches_the_compact_network(workflow: Path) -> None:
    """Runs after the first test, on its data."""
    run(workflow, "results/demo/dwr_compact/metrics.json")
    results = workflow / "results/demo"
    metrics = json.loads((results / "dwr_compact/metrics.json").read_text())
    assert 0 < metrics["test"]["ndcg@10"]["mean"] < metrics["test"]["recall@10"]["mean"] < 1

    folder = results / "ensemble/seed_0"
    ids = np.load(results / "ids/semantic_ids.npy")
    taught = np.load(folder / "lessons/probabilities.npy").astype(float)
    np.testing.assert_allclose(taught.sum(-1), 1, atol=0.01)
    train = read_examples(
        results / "data/sequences.npy", results / "data/examples.parquet", "train"
    )
    first = taught[np.arange(len(train)), 0]
    assert (first[:, np.setdiff1d(np.arange(256), ids[:, 0])] == 0).all()
    beams = np.load(folder / "lessons/beams.npy")
    names = {tuple(one): item for item, one in enumerate(ids)}
    for row, candidates in enumerate(beams[:50]):
        items = {names[tuple(one)] for one in candidates if one[0] >= 0}
        own = train.sequences[train.start[row] : train.stop[row]]
        assert len(items) == 25 and not items & set(own.tolist())


def test_sweeps(workflow: Path) -> None:
    """Runs after the tests before, on their results."""
    target = "results/demo/sweeps"
    for sweep, row in (("mixture", "distill"), ("width", "tiger")):
        with open(workflow / target / f"{sweep}.csv") as file:
            rows = {(r["split"], r["value"], r["metric"]): r for r in csv.DictReader(file)}
        metrics = json.loads((workflow / f"results/demo/{row}/metrics.json").read_text())
        own = {"mixture": "0.0", "width": "20"}[sweep]
        for split in ("dev", "test"):
            for metric in ("recall@10", "ndcg@10", "diversity@10"):
                mean = float(rows[split, own, metric]["mean"])
                assert mean == pytest.approx(metrics[split][metric]["mean"], abs=1e-7)
        assert len({float(r["mean"]) for r in rows.values()}) > 6
    assert (workflow / "results/demo/mixture=1.0/seed_0/model/recommender.json").exists()
    assert (
        'alt="distill by losses.distilled.mixture"'
        in (workflow / "results/demo/report.html").read_text()
    )


def test_a_study(workflow: Path) -> None:
    """Runs after the first test, on its results."""
    folder = workflow / "results/demo/studies"
    with open(folder / "tiger.csv") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["trial"] for row in rows) == ["0", "1"]
    rates = {float(row["settings"].split()[-1].rstrip("}")) for row in rows}
    assert len(rates) == 2 and all(1e-3 <= rate <= 1e-2 for rate in rates)
    with sqlite3.connect(folder / "tiger.sqlite") as study:
        values = study.execute("select value from trial_values").fetchall()
    best = [row["dev_ndcg@10"] for row in rows]
    assert sorted(float(one) for one in best) == pytest.approx(sorted(v for (v,) in values))
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_the_report_has_all_and_needs_nothing_else(workflow: Path) -> None:
    """Runs after the tests before, on their results."""
    folder = workflow / "results/demo"
    page = (folder / "report.html").read_text()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(link.startswith(("data:", "#")) for link in links)
    named = re.findall(r'<section id="([^"]*)"', page)
    assert named == [
        "run", "headline", "table-1", "table-1-test-kept", "slices", "table-2", "widths",
        "embeddings", "alignment", "cases", "priors", "data", "identifiers", "training", "sweeps",
        "cost", "made",
    ]  # fmt: skip
    assert {link[1:] for link in links if link.startswith("#")} == set(named)

    compared = json.loads((folder / "comparison.json").read_text())["splits"]["test"]["variants"]
    with open(folder / "report.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    of_table = {(one["row"], one["column"]): one for one in lines if one["table"] == "table_1"}
    for name, variant in compared.items():
        for metric, label in (("recall@5", "Recall@5"), ("ndcg@10", "NDCG@10")):
            mean = variant["metrics"][metric]["mean"]
            assert of_table[name, label]["value"] == f"{mean:.4f}"
    ablated = [one["row"] for one in lines if one["table"] == "table_2 dev"]
    assert list(dict.fromkeys(ablated)) == ["DWR", "w/o DISTILL", "w/o RANK", "w/o All"]
    steps = {one["row"] for one in lines if one["table"] == "cost"}
    assert {"fit", "recommend", "train_teacher", "train_rqvae"} <= steps
    assert "| dwr" in (folder / "report.md").read_text()

    run(workflow, "--report", "steps.html", "results/demo/report.html")
    steps = (workflow / "steps.html").read_text()
    assert "All tables and figures of demo on one page" in steps and "min-height: 90vh" in steps


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOOK = """<script>addEventListener("load", () => {
    document.body.dataset.widths = JSON.stringify([...document.images].map(i => i.naturalWidth));
    document.body.dataset.fetched = JSON.stringify(performance.getEntriesByType("resource")
        .map(e => e.name).filter(name => !name.startsWith("data:")));
    document.body.dataset.wide = document.documentElement.scrollWidth - innerWidth;
})</script></head>"""


TOPS = """<script>addEventListener("load", () => setTimeout(() => {
    const top = name => document.querySelector(name).getBoundingClientRect().top;
    document.body.dataset.tops = JSON.stringify([top(".prose"), top("#rulegraph"), innerHeight]);
}, 3000))</script></head>"""


def seen(page: str, script: str, folder: Path) -> dict[str, Any]:
    """What a script in the head of a page writes into the body's data, read by a browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    (folder / "page.html").write_text(page.replace("</head>", script, 1))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,2000"]
    options += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000"]
    shown = subprocess.run(
        [browser, *options, "--dump-dom", (folder / "page.html").as_uri()],
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    ).stdout
    return {
        name: json.loads(html.unescape(value))
        for name, value in re.findall(r'data-(widths|fetched|wide|tops)="([^"]*)"', shown)
    }


def test_snakemakes_report_begins_with_the_introduction(workflow: Path, tmp_path: Path) -> None:
    """Runs after the test before."""
    text, graph, height = seen((workflow / "steps.html").read_text(), TOPS, tmp_path)["tops"]
    assert 0 < text < 100 and graph > 0.8 * height


def test_a_browser_shows_the_report_without_a_request(workflow: Path, tmp_path: Path) -> None:
    """Runs after the test before."""
    page = (workflow / "results/demo/report.html").read_text()
    found = seen(page, LOOK, tmp_path)
    assert found["fetched"] == [] and found["wide"] <= 0
    assert len(found["widths"]) == page.count("<img ") == 8 and min(found["widths"]) > 300
