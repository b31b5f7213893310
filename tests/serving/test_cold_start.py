"""Lists on items that came after training, against the same lists counted by hand."""

import numpy as np
import pytest
from test_new_items import shop  # noqa: F401 # the shop whose identifiers are made of texts

from lohrec.data.examples import Examples
from lohrec.recommender.recommender import Recommender
from lohrec.serving import cold_start, new_items
from lohrec.serving.item_files import NewItem

NEW = [NewItem("N1", "red pad", ""), NewItem("N2", "green horn", "")]


def test_interactions_with_new_items_have_the_old_ones_before_them() -> None:
    user = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    item = np.array([0, 4, 1, 3, 3, 0, 4, 2, 3])  # 3 and 4 are new, 2 is neither
    met = cold_start.met(user, item, "abcde", {"a", "b"}, {"d", "e"})
    assert met.history == [["a"], ["a", "b"], ["a"]]
    assert met.item == ["e", "d", "e"]


def test_figures_are_those_of_the_lists(shop, tmp_path) -> None:  # noqa: F811
    model = shop.artefacts["retriever"]
    names = shop.catalogue.names
    met = cold_start.Met([[names[n], names[n + 3]] for n in range(20)], ["N1", "N2"] * 10)
    test = Examples(np.arange(60, dtype=np.int32), np.arange(9), np.arange(9), np.arange(9) + 3)
    found = cold_start.measure(model, NEW, met, test)
    assert (found["items"], found["new_items"], found["new"], found["old"]) == (62, 2, 20, 9)
    recall = {what: value["10"]["mean"] for what, value in found["recall"].items()}

    new_items.add(model, NEW, tmp_path / "grown")
    before, after = Recommender.load(model), Recommender.load(tmp_path / "grown")
    old = (
        [[names[n], names[n + 1], names[n + 2]] for n in range(9)],
        [names[n + 3] for n in range(9)],
    )

    def share(recommender, histories, items):
        lists = recommender.recommend(histories, 10, True)
        hits = [item in dict(lists[row]) for row, item in enumerate(items)]
        return sum(hits) / len(hits)

    assert recall["new"] == pytest.approx(share(after, *met))
    assert recall["old_before"] == pytest.approx(share(before, *old))
    assert recall["old_after"] == pytest.approx(share(after, *old))
    assert recall["old_change"] == pytest.approx(recall["old_after"] - recall["old_before"])
    assert recall["new_chance"] == pytest.approx(10 / 60)  # 62 items less two of the history
    assert recall["new_popularity"] == 0  # no train interaction
    for what in found["recall"].values():
        assert what["10"]["low"] - 1e-9 <= what["10"]["mean"] <= what["10"]["high"] + 1e-9
