"""Windows hold every example once, and nothing of dev and test."""

import numpy as np
import pytest
import tiny_walks

from lohrec.teacher.windows import Windows


@pytest.mark.parametrize("stride", [1, 10])
def test_windows_hold_every_example_once(stride):
    train = tiny_walks.split([5, 23, 24, 70, 6], 100)["train"]
    windows = Windows.of(train if stride == 1 else train.aligned())
    example, row = windows.examples_of(np.arange(len(windows)))
    assert sorted(example) == list(range(len(train)))
    items = windows.items(np.arange(len(windows)), targets=True)
    for e, r in zip(example, row, strict=True):
        place = windows.place[e]
        history = train.sequences[train.start[e] : train.stop[e]]
        assert items[r, place] == train.target[e]
        assert 0 < place <= len(history)
        assert place > len(history) - stride
        np.testing.assert_array_equal(items[r, :place], history[-place:])
        if len(history) < 20:
            assert place == len(history)
    assert (items >= 0).sum(1).max() <= 21


def test_windows_never_hold_a_dev_or_test_item():
    lengths = [5, 9, 60]
    train = tiny_walks.split(lengths, 100)["train"]
    windows = Windows.of(train.aligned())
    last_train = np.cumsum(lengths) - 3
    user = np.searchsorted(last_train, windows.start)
    assert (windows.start + windows.length <= last_train[user]).all()


def test_batches_hold_every_window_once_and_alike_numbers_of_targets():
    train = tiny_walks.split(np.random.default_rng(1).integers(5, 60, 300).tolist(), 100)["train"]
    windows = Windows.of(train.aligned())
    parts = windows.batches(100, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(len(windows)))
    count = [len(windows.examples_of(part)[0]) for part in parts]
    assert max(count) < 120 and sum(count) == len(train)
    assert sum(c < 80 for c in count) <= 1
    lengths = [windows.length[part] for part in parts]
    assert sum((n.max() - n).sum() for n in lengths) < 0.1 * windows.length.sum()
