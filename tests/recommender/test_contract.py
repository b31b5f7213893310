"""What every recommender promises; a new one is held to it without a new test."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny_shop
import torch

import lohrec
from lohrec.configuration import registry
from lohrec.identifiers import store
from lohrec.identifiers.beam_search import tree_search
from lohrec.identifiers.mixtures import ItemSteps, Without
from lohrec.identifiers.prefix_tree import PrefixTree
from lohrec.recommender import lessons
from lohrec.recommender.recommender import Histories, Recommender, named

TOP = 10


# Each recommender with its defaults, and the generative one with other networks.
OTHERS = {"compact": ("generative", {"network": tiny_shop.COMPACT})}
KINDS = {name: (name, {}) for name in registry.names("recommender")} | OTHERS


@pytest.fixture(scope="module", params=KINDS)
def fitted(request, shop) -> tuple[str, Recommender, Path]:
    """What is fitted, itself, and the folder that it was saved to."""
    found = shop.fit(*KINDS[request.param])
    folder = shop.folder / "fitted" / request.param
    found.save(folder, {"variant": request.param})
    return request.param, found, folder


def rows(lists) -> list[list[tuple[str, float]]]:
    return [lists[user] for user in range(len(lists))]


def histories(shop) -> list[list[str]]:
    """Short, long, repeated, partly unknown, by names."""
    names = shop.catalogue.names
    return [names[:1], names[3:9], names[:30] + names[5:20], names[7:8] * 4, ["no such", names[2]]]


def test_lists_are_of_known_items_distinct_and_as_long_as_asked(fitted, shop) -> None:
    _, found, _ = fitted
    given = histories(shop)
    for exclude in (True, False):
        lists = found.recommend(given, TOP, exclude_history=exclude)
        assert len(lists) == len(given)
        for user, own in enumerate(rows(lists)):
            items = [item for item, _ in own]
            assert len(items) == TOP and len(set(items)) == TOP
            assert set(items) <= set(shop.catalogue.names)
            scores = [score for _, score in own]
            assert scores == sorted(scores, reverse=True) and np.isfinite(scores).all()
            if exclude:
                assert not set(items) & set(given[user])


def test_own_items_are_left_out_as_on_the_dev_set_unless_asked_otherwise(fitted, shop) -> None:
    _, found, folder = fitted
    given = histories(shop)
    for exclude in (True, False):
        again = Recommender.load(folder, "cpu", {"exclude_history": exclude})
        expected = rows(found.recommend(given, TOP, exclude))
        assert rows(again.recommend(given, TOP)) == expected
    assert rows(found.recommend(given, TOP, True)) != expected


def test_names_and_numbers_are_the_same_items(fitted, shop) -> None:
    _, found, _ = fitted
    names = shop.catalogue.names
    given = [[4, 9, 2], [11]]
    padded = np.array([[4, 9, 2], [11, -1, -1]])
    by_name = rows(found.recommend([[names[i] for i in row] for row in given], TOP))
    assert by_name == rows(found.recommend(given, TOP)) == rows(found.recommend(padded, TOP))


def test_a_user_does_not_depend_on_the_others(fitted, shop) -> None:
    _, found, _ = fitted
    given = histories(shop)
    together = found.recommend(given, TOP)
    for user, history in enumerate(given):
        alone = found.recommend([history], TOP)[0]
        assert [item for item, _ in alone] == [item for item, _ in together[user]]


def test_histories_without_a_known_item_get_the_most_popular(fitted, shop) -> None:
    _, found, _ = fitted
    lists = found.recommend([[], ["no such", "nor this"], [shop.catalogue.names[0]]], 5)
    assert lists.cold.tolist() == [True, True, False]
    assert lists.unknown.tolist() == [0, 2, 0]
    best = np.argsort(-shop.catalogue.count, kind="stable")[:5]
    expected = [(shop.catalogue.names[i], float(shop.catalogue.count[i])) for i in best]
    assert lists[0] == lists[1] == expected


def test_no_users_and_more_items_than_there_are(fitted, shop) -> None:
    _, found, _ = fitted
    assert len(found.recommend([], TOP)) == 0
    every = len(shop.catalogue)
    history = shop.catalogue.names[:3]
    items = [item for item, _ in found.recommend([history], every + 5)[0]]
    assert sorted(items) == sorted(set(shop.catalogue.names) - set(history))


def test_what_is_no_history_is_refused(fitted) -> None:
    _, found, _ = fitted
    with pytest.raises(TypeError, match="a list of items"):
        found.recommend(["B000"], TOP)
    with pytest.raises(TypeError, match="a name or a number"):
        found.recommend([[1.5]], TOP)
    with pytest.raises(ValueError, match="top is 0"):
        found.recommend([[1]], 0)


def test_a_saved_recommender_gives_the_same_lists_from_anywhere(fitted, shop, tmp_path) -> None:
    name, found, folder = fitted
    moved = tmp_path / "elsewhere" / "model"
    moved.parent.mkdir()
    shutil.copytree(folder, moved)
    for place in (folder, moved, moved.parent, moved / "recommender.json"):
        again = lohrec.Recommender.load(place)
        assert again.name == KINDS[name][0] and again.history == found.history
        given = histories(shop)
        assert rows(again.recommend(given, TOP)) == rows(found.recommend(given, TOP))
    files = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert files <= {".json", ".safetensors"}


def test_what_can_teach_teaches_its_own_lists(fitted, shop) -> None:
    name, found, folder = fitted
    read = Histories(np.array([[4, 9, 2], [11, -1, -1]]), np.array([3, 1]))
    ids = store.load_ids(shop.artefacts["ids"])
    tree = PrefixTree.from_ids(ids)
    if "teaches" not in (registry.declared("recommender", KINDS[name][0], "TRAITS") or ()):
        with pytest.raises(ValueError, match="cannot teach"):
            found.steps(read, tree)
        return
    every = {"beams": len(ids), "renormalise": True}
    ranked = Recommender.load(folder, "cpu", every).rank(read, TOP, False)
    scores = tree_search(found.steps(read, tree), tree, len(ids))
    of_leaf = torch.zeros_like(scores.score).scatter(1, scores.leaf, scores.score)
    listed = tree.leaf_of_item[ranked.item.reshape(2, TOP)]
    torch.testing.assert_close(of_leaf.gather(1, listed), scores.score[:, :TOP])
    # Every item is among its candidates, and probabilities along an item are those of its prefixes.
    every_item = lessons.candidates(found.steps(read, tree), tree, len(ids))
    assert torch.equal(every_item[0].unique(dim=0), torch.from_numpy(ids).unique(dim=0))
    target = torch.from_numpy(ids[[7, 30]])
    p = lessons.probabilities(found.steps(read, tree), target, tree)
    torch.testing.assert_close(p.sum(-1), torch.ones(2, 4))
    assert not p[~tree.legal(target)].any()
    expected = of_leaf.gather(1, tree.leaf_of_item[torch.tensor([[7], [30]])])[:, 0]
    along = p.gather(-1, target.unsqueeze(-1)).squeeze(-1).log().sum(1)
    torch.testing.assert_close(along, expected, rtol=1e-3, atol=1e-3)
    # Items of the history left out, the others keep their shares.
    own = lessons.own_leaves(read, tree)
    without = lessons.steps(found, read, tree, own)
    left = lessons.candidates(without, tree, TOP, own)
    gone = torch.from_numpy(ids[[4, 9, 2]])
    assert not (left[0].unsqueeze(1) == gone).all(-1).any()


def test_items_left_out_are_no_candidates_of_a_teacher_that_is_sure_of_them() -> None:
    rng = np.random.default_rng(0)
    tree = PrefixTree.from_ids(rng.integers(0, 6, (200, 4)))
    log_p = torch.from_numpy(rng.normal(size=(50, tree.leaves))).float()[:, tree.leaf_of_item]
    own = torch.from_numpy(rng.integers(0, tree.leaves, (50, 5)))
    log_p += 8.0 * (tree.leaf_of_item == own.unsqueeze(-1)).any(1)

    class Rounded(ItemSteps):
        """As a network is, whose sums come out a little otherwise each time."""

        def _log_p(self, level, node):
            exact = super()._log_p(level, node)
            return exact * (1 + 1e-4 * torch.from_numpy(rng.normal(size=exact.shape)).float())

    steps = Without(Rounded(log_p, tree), own, tree)
    found = tree.leaf(lessons.candidates(steps, tree, 25, own))
    assert not (found.unsqueeze(-1) == own.unsqueeze(1)).any()
    assert (found >= 0).all()
    # Rounding alone does not leave them out.
    loose = tree.leaf(lessons.candidates(steps, tree, 25))
    assert (loose.unsqueeze(-1) == own.unsqueeze(1)).any()


def test_single_settings_of_the_search_may_be_other(fitted) -> None:
    _, found, folder = fitted
    again = Recommender.load(folder, "cpu", {"beams": 30})
    assert again.decoding == {**found.decoding, "beams": 30}
    assert len(again.recommend([[1]], TOP)[0]) == TOP


def test_a_folder_that_lost_a_file_says_so(fitted, tmp_path) -> None:
    _, _, folder = fitted
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "items.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks items\.json"):
        Recommender.load(copy)
    with pytest.raises(FileNotFoundError, match="holds no recommender"):
        Recommender.load(tmp_path)


def test_a_damaged_file_is_named(fitted, tmp_path) -> None:
    _, _, folder = fitted
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "items.json").write_text("[")
    with pytest.raises(ValueError, match=r"items\.json is (damaged|no JSON)"):
        Recommender.load(copy)
    for path in copy.rglob("*.safetensors"):
        (copy / "items.json").write_bytes((folder / "items.json").read_bytes())
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match=r"\.safetensors is damaged: .* Copy or make"):
            Recommender.load(copy)
    (copy / "recommender.json").write_text("{}")
    with pytest.raises(ValueError, match=r"recommender\.json lacks decoding, history"):
        Recommender.load(copy)


def test_the_same_seed_gives_the_same_bytes(fitted, shop, tmp_path) -> None:
    name, _, folder = fitted
    shop.fit(*KINDS[name]).save(tmp_path / "again", {"variant": name})
    assert (tmp_path / "again/recommender.json").read_text() == (
        folder / "recommender.json"
    ).read_text()


def test_every_recommender_is_a_class_of_its_own_name() -> None:
    for name in registry.names("recommender"):
        assert issubclass(named(name), Recommender) and named(name).name == name
    with pytest.raises(ValueError, match="popularity"):
        named("popularty")


@pytest.mark.parametrize("name", ["sasrec", "s3_rec", "generative"])
def test_a_training_that_diverges_names_the_setting_to_lower(name, shop) -> None:
    place = "training" if name == "generative" else f"recommenders.{name}.training"
    with pytest.raises(FloatingPointError, match=rf"Lower {place}\.learning_rate"):
        shop.fit(name, {"training": {"learning_rate": 1e30}})
