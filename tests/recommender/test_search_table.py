"""The table of a search: every trial at its best step, the best of them first."""

import csv
from pathlib import Path

import tabulate_search
import tiny_shop

from lohrec.recommender.recommender import curve


def test_trials_stand_in_the_order_of_their_best_steps(shop, tmp_path: Path) -> None:
    trials = [{}, {"training": {"learning_rate": 1e-4}}, {"network": {"dropout": 0.3}}]
    longer = {"training": tiny_shop.SMALL["training"] | {"epochs": 3, "evaluations": 3}}
    models = []
    for number, trial in enumerate(trials):
        given = {**longer, **trial, "training": longer["training"] | trial.get("training", {})}
        shop.fit("generative", given).save(folder := tmp_path / str(number))
        models.append(str(folder / "recommender.json"))
    written = tmp_path / "table.md", tmp_path / "table.csv"
    tabulate_search.main(models, trials, *map(str, written), "tiger", "mine")

    best = [max(state["dev_ndcg@10"] for state in curve(model)) for model in models]
    with open(written[1], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dev_ndcg@10"]) for row in rows] == sorted(best, reverse=True)
    for row in rows:
        number = int(row["trial"])
        states = curve(models[number])
        assert float(row["dev_ndcg@10"]) == best[number]
        assert states[[s["step"] for s in states].index(int(row["step"]))]["kept"]
        assert int(row["of"]) == states[-1]["step"]
    page = written[0].read_text()
    assert page.index(f"| {rows[0]['trial']} ") < page.index(f"| {rows[-1]['trial']} ")
    assert "`{training: {learning_rate: 0.0001}}`" in page
