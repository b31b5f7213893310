from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lohrec.data.examples import ROWS, Examples, length_batches, shared_batches


@pytest.fixture(scope="module")
def examples():
    """Users of 5 to 40 interactions with the windows of a history of at most 20 items."""
    rng = np.random.default_rng(0)
    length = rng.integers(5, 41, 200)
    first = length.cumsum() - length
    user = np.repeat(np.arange(200), length - 3)
    place = np.concatenate([np.arange(1, n - 2) for n in length])
    start = first[user] + np.maximum(0, place - 20)
    sequences = rng.integers(0, 99, length.sum()).astype(np.int32)
    return Examples(sequences, user.astype(np.int32), start, first[user] + place)


def test_histories(examples):
    rows = np.array([5, 0, 77])
    for row, history in zip(rows, examples.histories(rows), strict=True):
        real = examples.sequences[examples.start[row] : examples.stop[row]]
        assert np.array_equal(history[: len(real)], real) and (history[len(real) :] == -1).all()


def test_aligned_histories_lose_old_items_only_and_share_beginnings(examples):
    aligned = examples.aligned()
    lost = aligned.start - examples.start
    assert (lost >= 0).all() and lost.max() == 9 and (aligned.length >= 11)[lost > 0].all()
    assert np.array_equal(aligned.target, examples.target)
    assert (lost[examples.length < 20] == 0).all()
    assert len(np.unique(aligned.start)) < 0.5 * len(np.unique(examples.start))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_aligned_histories_are_never_empty(examples, length):
    short = replace(examples, start=np.maximum(examples.start, examples.stop - length))
    assert short.aligned().length.min() >= 1


@pytest.mark.parametrize("size", [32, 100])
def test_length_batches_are_full_and_hardly_padded(examples, size):
    batches = length_batches(examples.length, size, np.random.default_rng(0))
    rows = np.concatenate(batches)
    assert len(set(rows.tolist())) == len(rows) >= len(examples) - size
    assert all(len(batch) == size for batch in batches)
    padded = sum(len(b) * examples.length[b].max() for b in batches)
    assert padded < 1.3 * examples.length[rows].sum()


@pytest.mark.parametrize("size", [10, 64])
def test_shared_batches_hold_every_example_once_and_rows_whole(examples, size):
    batches = shared_batches(examples, size, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(examples)))
    assert len(batches) == len(shared_batches(examples, size, np.random.default_rng(1)))
    where = {}
    for number, batch in enumerate(batches):
        for start in set(examples.start[batch].tolist()):
            assert where.setdefault(start, number) == number
    assert max(map(len, batches)) <= max(size, 20) + ROWS * 20


def test_shared_batches_of_many_rows_have_few_shapes(examples):
    batches = shared_batches(examples, 256, np.random.default_rng(0))
    rows = [len(set(examples.start[batch].tolist())) for batch in batches]
    last = sum(count % ROWS > 0 for count in rows)  # of all users, wherever it now stands
    assert last <= 1


def test_shared_batches_have_rows_of_like_length(examples):
    """A user's last window may have few examples of long histories."""
    aligned = examples.aligned()
    batches = shared_batches(aligned, 64, np.random.default_rng(0))
    ends = [(aligned.start[batch], aligned.length[batch]) for batch in batches]
    spans = []
    for start, length in ends:
        longest = [length[start == one].max() for one in np.unique(start)]
        spans.append((min(longest), max(longest)))
    spans.sort()
    assert all(high <= low for (_, high), (low, _) in pairwise(spans))


@pytest.mark.parametrize("size", [90, 100, 101, 109])
def test_no_shared_batch_is_empty_where_the_last_cut_falls_into_the_last_row(size):
    place = np.tile(np.arange(1, 11), 11)
    start = np.repeat(np.arange(11) * 13, 10)
    examples = Examples(np.zeros(143, np.int32), start // 13, start, start + place)
    batches = shared_batches(examples, size, np.random.default_rng(0))
    assert min(map(len, batches)) > 0
    assert sorted(np.concatenate(batches).tolist()) == list(range(110))


def test_epochs_differ(examples):
    rng = np.random.default_rng(0)
    first, second = (shared_batches(examples, 64, rng) for _ in range(2))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=False))
