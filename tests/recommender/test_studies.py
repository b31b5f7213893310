"""A search in ranges: what cuts it off changes nothing, and the poor are given up."""

import copy
import csv

import optuna
import pytest
import search_ranges
import tiny_shop
import torch

from lohrec.common import artefacts, tracking
from lohrec.recommender import studies

RANGES = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "networks.t5.layers": {"low": 1, "high": 4},
    "networks.t5.codewords": {"values": ["all", "level"]},
}
PLACES = {
    "training.learning_rate": ["training", "learning_rate"],
    "networks.t5.layers": ["network", "layers"],
    "networks.t5.codewords": ["network", "codewords"],
}


def of(chosen):
    """A figure that is greatest at a learning rate of 0.01 and three layers."""
    far = abs(chosen["training.learning_rate"] - 0.01) + abs(chosen["networks.t5.layers"] - 3) / 10
    return 0.5 - far + 0.01 * (chosen["networks.t5.codewords"] == "level")


def fit(chosen, trial, evaluations=4):
    """A training that rises to its figure; what it found at last."""
    curves = tracking.Curves("training", [], 0.0, trial)
    for number in range(1, evaluations + 1):
        figure = of(chosen) * number / evaluations
        curves.add({"step": 10 * number, "seconds": 1.0, "dev_ndcg@10": figure})
    curves.close()
    return figure


def test_a_search_that_was_cut_off_goes_on_to_the_same_end(tmp_path):
    whole = studies.search(tmp_path / "whole.sqlite", "this", RANGES, 14, fit)
    attempts, tried = 0, []

    def killed(chosen, trial):
        nonlocal attempts
        attempts += 1
        tried.append(chosen)
        if attempts in (1, 7, 13):
            raise KeyboardInterrupt
        return fit(chosen, trial)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            studies.search(tmp_path / "cut.sqlite", "this", RANGES, 14, killed)
    cut = studies.search(tmp_path / "cut.sqlite", "this", RANGES, 14, killed)
    assert studies.rows(cut) == studies.rows(whole) and len(studies.rows(cut)) == 14
    assert attempts == 17 and tried[6] == tried[7]  # the same settings once more
    # A study that is done has nothing left to try.
    studies.search(tmp_path / "cut.sqlite", "this", RANGES, 14, killed)
    assert attempts == 17


def test_what_is_below_the_median_is_given_up(tmp_path):
    study = studies.search(tmp_path / "a.sqlite", "this", RANGES, 20, fit)
    rows = studies.rows(study)
    complete = [row for row in rows if row["state"] == "complete"]
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert complete and pruned and rows == complete + pruned
    assert all(row["evaluations"] == 4 for row in complete)
    assert all(row["evaluations"] == 1 for row in pruned)  # at the first that tells
    assert min(row["trial"] for row in pruned) >= 5
    assert {row["given up"] for row in pruned} == {"below the median"}
    assert {row["given up"] for row in complete} == {""}
    found = [row["dev_ndcg@10"] for row in complete]
    assert found == sorted(found, reverse=True) and found[0] == pytest.approx(
        of(rows[0]["settings"])
    )
    assert study.best_params == rows[0]["settings"]
    # Other programs read it.
    again = optuna.load_study(study_name="this", storage=f"sqlite:///{tmp_path / 'a.sqlite'}")
    assert again.best_value == found[0]


@pytest.mark.parametrize(
    "kind", [FloatingPointError, ValueError, MemoryError, torch.OutOfMemoryError]
)
def test_what_cannot_be_fitted_ends_a_trial_and_not_the_search(tmp_path, kind):
    def diverges(chosen, trial):
        if chosen["networks.t5.layers"] > 2:
            raise kind("at step 3")
        return fit(chosen, trial)

    rows = studies.rows(studies.search(tmp_path / "a.sqlite", "this", RANGES, 8, diverges))
    assert len(rows) == 8
    deep = [row for row in rows if row["settings"]["networks.t5.layers"] > 2]
    assert deep and {row["state"] for row in deep} == {"pruned"}
    assert {row["dev_ndcg@10"] for row in deep} == {None}
    assert {row["given up"] for row in deep} == {"at step 3"}


def test_a_search_without_any_fit_says_why_and_may_begin_anew(tmp_path):
    def fails(chosen, trial):
        raise ValueError("the data are damaged")

    for _ in range(2):
        with pytest.raises(ValueError, match=r"None of 3 trials could be fitted; .*are damaged"):
            studies.search(tmp_path / "a.sqlite", "this", RANGES, 3, fails)


def test_a_study_of_something_else_is_begun_afresh(tmp_path, capsys):
    studies.search(tmp_path / "a.sqlite", "this", RANGES, 3, fit)
    other = {"training.learning_rate": RANGES["training.learning_rate"]}
    study = studies.search(
        tmp_path / "a.sqlite", "other", other, 2, lambda chosen, _: chosen["training.learning_rate"]
    )
    assert "starting afresh" in capsys.readouterr().out
    assert [list(row["settings"]) for row in studies.rows(study)] == [[*other]] * 2


def test_a_damaged_study_is_begun_afresh(tmp_path, capsys):
    path = tmp_path / "a.sqlite"
    studies.search(path, "this", RANGES, 3, fit)
    whole = path.read_bytes()
    for damaged in (b"no study" * 99, whole[: len(whole) // 3], whole[:16] + bytes(5000)):
        path.write_bytes(damaged)
        assert len(studies.rows(studies.search(path, "this", RANGES, 2, fit))) == 2
        assert f"{path} is damaged; starting afresh" in capsys.readouterr().out


def test_values_come_into_their_places_and_the_rest_stays():
    given = {"network": {"layers": 1, "codewords": "all", "heads": 2}, "training": {"epochs": 3}}
    given["training"]["learning_rate"] = 0.1
    chosen = {"networks.t5.layers": 4, "training.learning_rate": 0.2}
    found = studies.with_values(given, PLACES, chosen)
    assert found["network"] == {"layers": 4, "codewords": "all", "heads": 2}
    assert found["training"] == {"epochs": 3, "learning_rate": 0.2}
    assert given["network"]["layers"] == 1


def test_the_script_leaves_the_study_and_its_tables(shop, tmp_path):
    settings = copy.deepcopy(tiny_shop.SMALL | {"recommender": "generative", "history": 20})
    settings["training"] |= {"epochs": 2, "evaluations": 2, "patience": 2}
    names = ("training.learning_rate", "networks.t5.layers")
    tried = {"trials": 3, "ranges": {n: RANGES[n] for n in names}}
    tried["places"] = {n: PLACES[n] for n in names}
    artefacts.write_json(tmp_path / "statistics.json", {"repeats": 0})
    outputs = {
        name: str(tmp_path / "studies" / f"tiger.{ending}")
        for name, ending in (("study", "sqlite"), ("markdown", "md"), ("table", "csv"))
    }

    def run():
        search_ranges.main(
            shop.files(tmp_path / "statistics.json", "ids"), *outputs.values(), settings, tried,
            {n: v for n, v in tiny_shop.DECODING.items() if n != "batch_size"}, 16, "demo", "tiger",
            {"seed": 0}, {"fit.py": "1"}, {"count": 0, "memory_gb": 0}, 1,
        )  # fmt: skip
        with open(outputs["table"]) as file:
            return list(csv.DictReader(file))

    given, rows = copy.deepcopy(settings), run()
    assert settings == given and sorted(row["trial"] for row in rows) == ["0", "1", "2"]
    found = [float(row["dev_ndcg@10"]) for row in rows]
    assert found == sorted(found, reverse=True) and {row["evaluations"] for row in rows} == {"2"}
    assert "`{networks.t5.layers: " in (tmp_path / "studies/tiger.md").read_text()
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{outputs['study']}")
    assert study.best_value == pytest.approx(found[0])
    # The settings of the best trial give its figure again.
    chosen = studies.with_values(settings, tried["places"], study.best_params)
    own = {k: v for k, v in chosen.items() if k not in ("recommender", "history")}
    curve = shop.fit("generative", own).curve
    assert max(row["dev_ndcg@10"] for row in curve) == study.best_value
