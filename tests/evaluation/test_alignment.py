"""Coverage and Coordination, against their definitions."""

import numpy as np
import pytest

from lohrec.evaluation import alignment


def longest_common(a: list[int], b: list[int]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + longest_common(a[:-1], b[:-1])
    return max(longest_common(a[:-1], b), longest_common(a, b[:-1]))


def test_figures_of_random_lists_are_those_of_the_definitions():
    rng = np.random.default_rng(0)
    lists, teacher = (np.stack([rng.permutation(9)[:6] for _ in range(30)]) for _ in range(2))
    for s, t, covered, ordered in zip(
        lists,
        teacher,
        alignment.coverage(lists, teacher),
        alignment.coordination(lists, teacher),
        strict=True,
    ):
        assert covered == pytest.approx(len(set(s) & set(t)) / 6)
        assert ordered == pytest.approx(longest_common(s.tolist(), t.tolist()) / 6)


def test_equal_lists_align_fully_reversed_ones_in_one_item_and_missing_items_never():
    lists = np.arange(5)[None]
    assert alignment.coverage(lists, lists) == alignment.coordination(lists, lists) == 1
    assert alignment.coverage(lists, lists[:, ::-1]) == 1
    assert alignment.coordination(lists, lists[:, ::-1]) == 1 / 5
    none = np.full((1, 5), -1)
    assert alignment.coverage(none, none) == alignment.coordination(none, none) == 0
    with pytest.raises(ValueError, match="one length"):
        alignment.coverage(lists, lists[:, :4])


def test_users_in_parts_are_as_users_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    lists, teacher = (np.stack([rng.permutation(9)[:6] for _ in range(30)]) for _ in range(2))
    at_once = alignment.against_teacher({"one": lists, "two": teacher}, teacher, 20)
    monkeypatch.setattr(alignment, "USERS", 7)
    assert alignment.against_teacher({"one": lists, "two": teacher}, teacher, 20) == at_once
    assert at_once["two"]["coverage"]["mean"] == 1 > at_once["one"]["coverage"]["mean"]
