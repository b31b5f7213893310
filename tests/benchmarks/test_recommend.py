"""The benchmark of `lohrec recommend`, on a tiny shop."""

import shutil

import pytest
import tiny_shop

from lohrec.benchmarks import recommend
from lohrec.benchmarks.recommend import Spent


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


def test_a_users_time_is_that_after_the_start(monkeypatch, tmp_path) -> None:
    def ours(model, users: int, threads: int) -> Spent:
        return Spent(3 + users / 100 / threads, 2 + users / 100, 5_000_000 * (100 + threads))

    monkeypatch.setattr(recommend, "ours", ours)
    monkeypatch.setattr(recommend, "generate", lambda *given: Spent(0.1 / given[2], 0.2, 0))
    printed = recommend.table(tmp_path, 1001, 20).splitlines()
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in printed[2:4]]
    assert rows[0] == ["1", "100", "10.00 / 10.00", "100.0 / 200.0", "10.0 / 20.0"]
    # On two threads the start takes what it takes on one, 3.01 s of the clock.
    wall = (3 + 1001 / 200 - 3.01) / 1000
    assert rows[1][1] == f"{1 / wall:,.0f}" and rows[1][4] == f"{0.05 / wall:.1f} / 20.0"
    assert printed[-1] == (
        "The start takes 3.0 s. Most memory: 505 MB with 100 users, 510 MB with 1,001."
    )
