"""The benchmark of `lohrec recommend`, on a tiny shop."""

import shutil

import pytest
import tiny_shop

from lohrec.benchmarks import recommend


def test_both_are_timed_on_one_thread_and_on_two(tmp_path) -> None:
    shop = tiny_shop.make(tmp_path)
    shop.fit("generative").save(tmp_path / "model")
    one = recommend.ours(tmp_path / "model", 50, 1)
    assert one.wall > 0 and one.processor > 0 and one.memory > 50e6
    theirs = recommend.generate(tmp_path / "model", 5, 2)
    assert 0 < theirs.wall < 60
    (tmp_path / "half").mkdir()
    shutil.copy(tmp_path / "model/items.json", tmp_path / "half")
    with pytest.raises(ValueError, match="ended with 2"):
        recommend.ours(tmp_path / "half", 5, 1)
