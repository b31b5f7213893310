"""Lists on items that came after training, against the same lists counted by hand."""

import numpy as np
import pytest
import torch
from test_new_items import shop  # noqa: F401 # the shop whose identifiers are made of texts

from lohrec.data.catalogue import Catalogue
from lohrec.data.examples import Examples
from lohrec.identifiers import text_encoder
from lohrec.recommender.recommender import Recommender
from lohrec.serving import cold_start, new_items
from lohrec.serving.item_files import NewItem

NEW = [NewItem("N1", "red pad", ""), NewItem("N2", "green horn", "")]
NEW_NAMES = ["N1", "N2"]


def test_interactions_with_new_items_have_the_old_ones_before_them() -> None:
    user = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    item = np.array([0, 4, 1, 3, 3, 0, 4, 2, 3])  # 3 and 4 are new, 2 is neither
    met = cold_start.met(user, item, "abcde", {"a", "b"}, {"d", "e"})
    assert met.history == [["a"], ["a", "b"], ["a"]]
    assert met.item == ["e", "d", "e"]
    assert met.user == [0, 0, 1]


def test_a_target_among_equally_near_items_has_the_place_of_its_number() -> None:
    vectors, names = np.ones((9, 2)) / 2**0.5, list("abcdefghi")
    catalogue = Catalogue(names, [""] * 9, np.zeros(9, np.int64))
    met = cold_start.Met([["a"], ["c", "a"]], ["d", "i"], [0, 1])
    assert cold_start._nearest(vectors, catalogue, met).tolist() == [3, 7]


def test_interactions_of_one_user_are_drawn_together() -> None:
    values, user = np.repeat([[0.0], [1.0]], 50, axis=0), np.repeat([4, 7], 50)
    found = cold_start._interval(np.repeat(values, 2, axis=1), user)["10"]
    assert found == {"mean": 0.5, "low": 0.0, "high": 1.0}


def test_without_interactions_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match=r"2 new items .*sources\.older_items\.share"):
        cold_start.measure("", NEW, [], cold_start.Met([], [], []), None)


def test_figures_are_those_of_the_lists(shop, tmp_path) -> None:  # noqa: F811
    model = shop.artefacts["retriever"]
    names = shop.catalogue.names
    met = cold_start.Met(
        [[names[n], names[n + 3]] for n in range(20)], NEW_NAMES * 10, [*range(20)]
    )
    test = Examples(np.arange(60, dtype=np.int32), np.arange(9), np.arange(9), np.arange(9) + 3)
    others = [
        NewItem(name, title, "") for name, title in zip(names, shop.catalogue.titles, strict=True)
    ]
    found = cold_start.measure(model, NEW, others, met, test)
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

    assert recall["new"] == pytest.approx(share(after, *met[:2]))
    assert recall["old_before"] == pytest.approx(share(before, *old))
    assert recall["old_after"] == pytest.approx(share(after, *old))
    assert recall["old_change"] == pytest.approx(recall["old_after"] - recall["old_before"])
    assert recall["new_chance"] == pytest.approx(10 / 60)  # 62 items less two of the history
    # The least popular third of the old ones, and those as popular as the last of these.
    count = shop.catalogue.count[3:12]
    rare = np.flatnonzero(count <= sorted(count)[2]).tolist()
    assert found["rare"] == len(rare) < 9
    assert recall["rare_before"] == pytest.approx(
        share(before, [old[0][n] for n in rare], [old[1][n] for n in rare])
    )
    encoder = text_encoder.load(shop.folder / "encoder/text.safetensors")
    titles = [*shop.catalogue.titles, *(item.title for item in NEW)]
    vectors = encoder.encode(titles, [""] * 62, torch.device("cpu")).astype(float)
    hits = []
    for n, item in enumerate(met.item):
        cosine = vectors @ vectors[n + 3] / np.linalg.norm(vectors, axis=1)
        cosine[[n, n + 3]] = -2
        target = 60 + NEW_NAMES.index(item)  # the last two: others that are as near come before
        nearer = [m for m in range(target) if cosine[m] > cosine[target] - 1e-5]
        hits.append(len(nearer) + (target == 60 and cosine[61] > cosine[60] + 1e-5) < 10)
    assert recall["new_text"] == pytest.approx(np.mean(hits)) and 0 < sum(hits) < 20
    assert recall["new_popularity"] == 0  # no train interaction
    for what in found["recall"].values():
        assert what["10"]["low"] - 1e-9 <= what["10"]["mean"] <= what["10"]["high"] + 1e-9
