import itertools
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import ndcg_score

from lohrec.evaluation import metrics, ranked_lists

ITEMS = 40


def random_lists(rng, users=60, ranks=20, tie=0.3):
    """Rows (user, rank, item), shuffled; each identifier has more than one item at times."""
    rows = []
    for user in range(users):
        items = iter(rng.permutation(ITEMS))
        for rank in range(1, ranks + 1):
            for _ in range(1 + (rng.random() < tie) + (rng.random() < tie / 2)):
                item = next(items, None)
                if item is not None:
                    rows.append((user, rank, item))
    user, rank, item = np.array(rows)[rng.permutation(len(rows))].T
    # Items may have run out: keep ranks without gaps, which they are, since only the tail is cut.
    return user, rank, item


def orders(rank, item):
    """All orders of one user's items that its ranks allow."""
    groups = [[i for r, i in zip(rank, item, strict=True) if r == k] for k in sorted(set(rank))]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*parts))


def test_accuracy_equals_the_mean_over_all_orders_of_tied_items():
    rng = np.random.default_rng(0)
    user, rank, item = random_lists(rng, users=80, ranks=4, tie=0.5)
    target = rng.integers(ITEMS, size=80)
    for u in range(0, 80, 2):  # a target in half of the lists for sure
        target[u] = rng.choice(item[user == u])
    lists = ranked_lists.from_arrays(user, rank, item, np.arange(80), ITEMS)
    got = metrics.accuracy(lists, target, [2, 5])
    for u in range(80):
        mine = user == u
        for k in (2, 5):
            recall, ndcg = [], []
            for order in orders(rank[mine], item[mine]):
                top = order[:k]
                recall.append(target[u] in top)
                ndcg.append(1 / math.log2(top.index(target[u]) + 2) if recall[-1] else 0)
            assert got[f"recall@{k}"][u] == pytest.approx(np.mean(recall))
            assert got[f"ndcg@{k}"][u] == pytest.approx(np.mean(ndcg))
            found = rank[mine][item[mine] == target[u]]
            hit = len(found) and found[0] <= k
            assert got[f"sid_recall@{k}"][u] == hit
            assert got[f"sid_ndcg@{k}"][u] == pytest.approx(
                1 / math.log2(found[0] + 1) if hit else 0
            )


def test_ndcg_without_ties_equals_scikit_learn():
    rng = np.random.default_rng(1)
    users = 200
    item = np.stack([rng.permutation(ITEMS)[:20] for _ in range(users)])
    target = rng.integers(ITEMS, size=users)
    score = np.zeros((users, ITEMS))
    np.put_along_axis(score, item, np.arange(20, 0, -1.0)[None], axis=1)
    # Items outside the list come after it in scikit-learn's order, so they matter to no K <= 20.
    relevance = np.eye(ITEMS)[target]
    lists = ranked_lists.from_arrays(
        np.repeat(np.arange(users), 20),
        np.tile(np.arange(1, 21), users),
        item.ravel(),
        np.arange(users),
        ITEMS,
    )
    got = metrics.accuracy(lists, target, [5, 10])
    for k in (5, 10):
        assert got[f"ndcg@{k}"].mean() == pytest.approx(ndcg_score(relevance, score, k=k))
        assert got[f"recall@{k}"].mean() == pytest.approx(
            (item[:, :k] == target[:, None]).any(axis=1).mean()
        )
        assert np.array_equal(got[f"recall@{k}"], got[f"sid_recall@{k}"])


def test_groups_take_places_after_the_tied_items_before_them():
    lists = ranked_lists.from_arrays(
        np.array([7, 7, 7, 7, 9]),
        np.array([1, 2, 2, 3, 1]),
        np.array([4, 1, 2, 3, 0]),
        np.array([9, 7]),
        5,
    )
    assert lists.user.tolist() == [7, 9]
    assert lists.offset.tolist() == [0, 4, 5]
    assert lists.first.tolist() == [1, 2, 2, 4, 1]
    assert lists.ties.tolist() == [1, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("user", "rank", "item", "message"),
    [
        ([0, 0], [1, 2], [0, 1], "1 of 2 users have no recommendations.*user 1"),
        ([0, 1, 2], [1, 1, 1], [0, 1, 2], "1 users with recommendations are not of this split"),
        ([0, 1], [1, 1], [0, 3], "1 rows name no item"),
        ([0, 1], [1, 1], [-1, 2], "1 rows name no item"),
        ([0, 0, 1], [1, 2, 1], [2, 2, 0], "repeat an item.*user 0 has item 2"),
        ([0, 1], [0, 1], [0, 0], "ranks must run.*user 0 has rank 0"),
        ([0, 1], [1, 2], [0, 0], "ranks must run.*user 1 has rank 2"),
        ([0, 0, 1], [1, 3, 1], [0, 1, 0], "ranks must run.*user 0 has rank 3"),
    ],
)
def test_impossible_lists_are_refused(user, rank, item, message):
    with pytest.raises(ValueError, match=message):
        ranked_lists.from_arrays(
            np.array(user), np.array(rank), np.array(item), np.array([0, 1]), 3
        )


def test_read_takes_one_split_and_names_the_file_in_errors(tmp_path):
    path = tmp_path / "recommendations.parquet"
    table = pa.table(
        {
            "split": pa.array(["dev", "dev", "test"]).dictionary_encode(),
            "user": pa.array([0, 1, 0], pa.int32()),
            "rank": pa.array([1, 1, 1], pa.int16()),
            "item": pa.array([2, 1, 0], pa.int32()),
            "score": pa.array([0.1, 0.2, 0.3], pa.float32()),
        }
    )
    pq.write_table(table, path)
    assert ranked_lists.read(path, "dev", np.array([0, 1]), 3).item.tolist() == [2, 1]
    with pytest.raises(ValueError, match=r"recommendations.parquet, split test: 1 of 2 users"):
        ranked_lists.read(path, "test", np.array([0, 1]), 3)
    pq.write_table(table.drop(["rank"]), path)
    with pytest.raises(ValueError, match=r"recommendations.parquet lacks the column.*rank"):
        ranked_lists.read(path, "dev", np.array([0, 1]), 3)
