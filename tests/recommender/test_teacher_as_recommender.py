"""Lists of the teacher itself, in the tree and without it."""

import numpy as np

from lohrec.evaluation import ranked_lists, recommendations
from lohrec.recommender.methods import teacher
from lohrec.teacher.model import load_teacher


def test_without_the_tree_a_list_may_end_early_or_hold_nothing(shop, tmp_path) -> None:
    """What no beam fills is not invented; an evaluation reads that there is an empty list."""
    free = shop.fit("teacher", {"constrained": False})
    histories = [shop.train.sequences[a : a + 4].tolist() for a in range(0, 70, 7)]
    lists = free.recommend(histories, 5)
    names = shop.catalogue.names
    for user, history in enumerate(histories):
        assert not {item for item, _ in lists[user]} & {names[item] for item in history}
    empty = [user for user in range(len(histories)) if not lists[user]]
    assert empty  # so little has it learned
    users = np.arange(len(histories)) + 3
    recommendations.write(tmp_path / "lists.parquet", [lists.table("test", users)])
    read = ranked_lists.read(tmp_path / "lists.parquet", "test", users, len(names))
    assert read.user.tolist() == users.tolist()
    assert np.flatnonzero(np.diff(read.offset) == 0).tolist() == empty
    whole = shop.fit("teacher").recommend(histories, 5)
    assert (np.bincount(whole.rows.user) == 5).all()


def test_the_model_is_read_once(shop, monkeypatch) -> None:
    read = []

    def load(*given):
        read.append(given)
        return load_teacher(*given)

    monkeypatch.setattr(teacher, "load_teacher", load)
    found = shop.fit("teacher")
    # Histories longer than what is read are searched apart.
    for _ in range(2):
        found.recommend([shop.train.sequences[:n].tolist() for n in (3, 25, 40)], 5)
    assert len(read) == 1


def test_more_users_at_once_give_the_same_lists(shop) -> None:
    histories = [shop.train.sequences[a : a + 3].tolist() for a in range(0, 70, 7)]
    lists = []
    for size in (2, 64):
        fitted = shop.fit("teacher")
        fitted.decoding = {**fitted.decoding, "batch_size": size}
        lists.append(fitted.recommend(histories, 5))
    few, many = lists
    for user in range(len(histories)):
        assert [item for item, _ in few[user]] == [item for item, _ in many[user]]
