import itertools
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from lohrec.evaluation import (
    diversity,
    exposure,
    metrics,
    ranked_lists,
    recommendations,
    tables,
)

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
    got = metrics.accuracy(lists, target, [2, 5]) | metrics.reciprocal_rank(lists, target, 5)
    for u in range(80):
        mine = user == u
        for k in (2, 5):
            recall, ndcg, reciprocal = [], [], []
            for order in orders(rank[mine], item[mine]):
                top = order[:k]
                reciprocal.append(1 / (1 + top.index(target[u])) if target[u] in top else 0)
                recall.append(target[u] in top)
                ndcg.append(1 / math.log2(top.index(target[u]) + 2) if recall[-1] else 0)
            assert got[f"recall@{k}"][u] == pytest.approx(np.mean(recall))
            assert got[f"ndcg@{k}"][u] == pytest.approx(np.mean(ndcg))
            if k == 5:
                assert got["mrr@5"][u] == pytest.approx(np.mean(reciprocal))
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
    # Of one relevant item the mean of precisions is the reciprocal rank; what no list has is
    # ranked last here, which is a place too, but worth nothing.
    listed = (item == target[:, None]).any(axis=1)
    expected = label_ranking_average_precision_score(relevance[listed], score[listed])
    got = metrics.reciprocal_rank(lists, target, 20)["mrr@20"]
    assert got[listed].mean() == pytest.approx(expected) and not got[~listed].any()


def test_expected_hits_obey_for_every_user_what_hits_obey():
    """The bounds of NDCG between two cutoffs, with identifiers that items share."""
    rng = np.random.default_rng(2)
    user, rank, item = random_lists(rng, users=300, ranks=12, tie=0.6)
    lists = ranked_lists.from_arrays(user, rank, item, np.arange(300), ITEMS)
    got = metrics.accuracy(lists, rng.integers(ITEMS, size=300), [3, 5, 10])
    straddling = (got["recall@5"] > got["recall@3"]) & (got["recall@3"] > 0)
    assert straddling.any()
    for u in range(300):
        tables.check({name: values[u] for name, values in got.items()}, f"user {u}")
    for low, high in ((3, 5), (5, 10)):
        hits = got[f"recall@{high}"] - got[f"recall@{low}"]
        gain = got[f"ndcg@{high}"] - got[f"ndcg@{low}"]
        assert (hits / math.log2(high + 1) <= gain + 1e-12).all()
        assert (gain <= hits / math.log2(low + 2) + 1e-12).all()


def test_exposure_without_ties_is_counted_list_by_list():
    rng = np.random.default_rng(3)
    # Some items are popular, and lists are short, so that there are items that none has.
    item = np.stack([(rng.permutation(ITEMS - 9)[:9] + 4 * u) % (ITEMS - 4) for u in range(6)])
    place = np.tile(np.arange(1, 10), 6)
    users = np.repeat(np.arange(6), 9)
    lists = ranked_lists.from_arrays(users, place, item.ravel(), np.arange(6), ITEMS)
    got = exposure.exposure(lists, ITEMS, [2, 5])
    for k in (2, 5):
        shown = [0] * ITEMS
        for own in item:
            for i in own[:k]:
                shown[i] += 1
        covered = sum(times > 0 for times in shown) / ITEMS
        assert 0 < covered < 1 and got[f"catalogue_coverage@{k}"] == pytest.approx(covered)
        # Gini's index is half of the mean difference of two items over the mean.
        apart = sum(abs(a - b) for a in shown for b in shown) / ITEMS**2
        assert got[f"gini@{k}"] == pytest.approx(apart / (2 * sum(shown) / ITEMS))


def test_gini_is_zero_for_equal_shares_and_largest_for_one_item():
    equal = ranked_lists.from_arrays(*np.array([[0, 1, 2], [1, 1, 1], [2, 0, 1]]), np.arange(3), 3)
    full = {"unfilled@1": 0.0}
    assert exposure.exposure(equal, 3, [1]) == {"catalogue_coverage@1": 1.0, "gini@1": 0.0} | full
    one = ranked_lists.from_arrays(*np.array([[0, 1, 2], [1, 1, 1], [2, 2, 2]]), np.arange(3), 3)
    figures = exposure.exposure(one, 3, [1])
    assert figures == pytest.approx({"catalogue_coverage@1": 1 / 3, "gini@1": 2 / 3} | full)


def test_exposure_with_ties_is_expected_over_all_orders():
    user, rank, item = np.array(
        [(0, 1, 4), (0, 2, 1), (0, 2, 2), (0, 2, 3), (1, 1, 1), (1, 1, 2)]
    ).T
    lists = ranked_lists.from_arrays(user, rank, item, np.array([0, 1]), 6)
    got = exposure.exposure(lists, 6, [1, 2, 3])
    every = [list(orders(rank[user == u], item[user == u])) for u in (0, 1)]
    for k in (1, 2, 3):
        pairs = [[*first[:k], *second[:k]] for first, second in itertools.product(*every)]
        covered = np.mean([len(set(pair)) / 6 for pair in pairs])
        assert got[f"catalogue_coverage@{k}"] == pytest.approx(covered)
        shown = [sum(pair.count(i) for pair in pairs) / len(pairs) for i in range(6)]
        apart = sum(abs(a - b) for a in shown for b in shown) / 36
        assert got[f"gini@{k}"] == pytest.approx(apart / (2 * sum(shown) / 6))


def test_a_list_without_an_item_finds_nothing_and_is_counted():
    columns = np.array([(0, 1, 4), (0, 2, 1), (1, 1, -1), (2, 1, 3)]).T
    lists = ranked_lists.from_arrays(*columns, np.arange(3), 6)
    assert lists.user.tolist() == [0, 1, 2] and lists.offset.tolist() == [0, 2, 2, 3]
    assert lists.padded(np.ones(3, dtype=bool)).tolist() == [[4, 1], [-1, -1], [3, -1]]
    got = metrics.accuracy(lists, np.array([1, 1, 3]), [2])
    assert got["recall@2"].tolist() == [1, 0, 1]
    distance = diversity.intra_list(lists, np.eye(6), [2])
    assert distance["ild@2"].tolist() == [1, 0, 0] and distance["diversity@2"][1] == 0
    figures = exposure.exposure(lists, 6, [1, 2])
    assert figures["unfilled@1"] == pytest.approx(1 / 3)
    assert figures["unfilled@2"] == pytest.approx(3 / 6)
    assert figures["catalogue_coverage@2"] == pytest.approx(3 / 6)


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
        ([0, 1], [1, 1], [-2, 2], "1 rows name no item"),
        ([0, 1, 1], [1, 1, 2], [0, -1, 2], "list of user 1 holds items, and is said to hold noth"),
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


def test_a_row_without_a_split_is_refused(tmp_path):
    table = {"split": ["dev", None], "user": [0, 0], "rank": [1, 1], "item": [3, 4]}
    pq.write_table(pa.table(table), tmp_path / "lists.parquet")
    with pytest.raises(ValueError, match=r"lists\.parquet has empty cells"):
        recommendations.splits(tmp_path / "lists.parquet")
