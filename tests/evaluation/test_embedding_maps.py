"""What is asked of the map: one frame, in which an item's points are tied from model to model."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lohrec.evaluation import embedding_maps


@pytest.mark.parametrize(("items", "neighbours"), [(40, 15), (6, 5)])
def test_each_model_is_tied_to_the_one_before_item_by_item(
    monkeypatch: pytest.MonkeyPatch, items: int, neighbours: int
) -> None:
    asked = {}

    class Aligned:
        """In the place of UMAP's, which takes a minute to compile."""

        def __init__(self, random_state: int, n_neighbors: int) -> None:
            asked.update(random_state=random_state, n_neighbors=n_neighbors)

        def fit_transform(self, vectors, relations):
            asked.update(relations=relations)
            return [one[:, :2] + number for number, one in enumerate(vectors)]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(AlignedUMAP=Aligned))
    rng = np.random.default_rng(0)
    embedded = {name: rng.standard_normal((items, d)) for name, d in (("a", 8), ("b", 3), ("c", 5))}
    points = embedding_maps.maps(embedded)
    assert list(points) == list(embedded)
    for number, (name, xy) in enumerate(points.items()):  # each has its own, not another's
        assert (xy == embedded[name][:, :2] + number).all()
    assert asked["relations"] == [{n: n for n in range(items)}] * 2
    assert asked["n_neighbors"] == neighbours and isinstance(asked["random_state"], int)


def test_items_without_categories_are_told_apart_by_where_the_teacher_has_them():
    centres = np.repeat(np.eye(4) * 9, 10, axis=0)
    noise = np.random.default_rng(1).standard_normal(centres.shape)
    names = embedding_maps.clusters(centres + noise, 4)
    found = [set(names[start : start + 10]) for start in range(0, 40, 10)]
    assert [len(one) for one in found] == [1] * 4 and len(set.union(*found)) == 4
    assert set(embedding_maps.clusters(np.ones((5, 3)), 4)) == {"cluster 1"}


def test_of_very_many_items_some_are_drawn_and_of_few_all(monkeypatch):
    assert embedding_maps.drawn(9).tolist() == list(range(9))
    monkeypatch.setattr(embedding_maps, "ITEMS", 100)
    found = embedding_maps.drawn(1000)
    assert len(set(found)) == 100 and (np.diff(found) > 0).all()
    assert found.min() < 50 and found.max() > 950 and (found == embedding_maps.drawn(1000)).all()


def test_the_nearest_are_those_of_the_largest_cosine_and_never_the_item_itself():
    vectors = np.random.default_rng(0).standard_normal((30, 4)) * np.arange(1, 31)[:, None]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    expected = np.argsort(-cosine, axis=1)[:, :5]
    assert (embedding_maps.nearest(vectors, 5) == expected).all()


def test_the_overlap_is_the_share_of_neighbours_that_are_the_others_too():
    mine, others = np.array([[1, 2], [0, 3]]), np.array([[2, 5], [4, 1]])
    assert embedding_maps.overlap(mine, others) == 0.25  # one of four
    assert embedding_maps.overlap(mine, mine[:, ::-1]) == 1
