import tracemalloc

import numpy as np
import pytest

from lohrec.data.cooccurrence import cooccurrences
from lohrec.data.examples import Examples
from lohrec.identifiers.codewords import NO_BEAM, OTHER_LEVEL, WORD
from lohrec.recommender import beam_items, priors


def random_ids(items: int, codes: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, codes, (items, 4)).astype(np.int16)


def brute_correct(beams, targets, ids, keep):
    out = []
    for beam, target in zip(beams.tolist(), targets.tolist(), strict=True):
        listed, seen = [target], {tuple(ids[target])}
        for identifier in map(tuple, beam):
            item = next((i for i, own in enumerate(ids) if tuple(own) == identifier), None)
            if item is not None and identifier not in seen:
                seen.add(identifier)
                listed.append(item)
        out.append((listed + [-1] * keep)[:keep])
    return np.array(out)


@pytest.mark.parametrize("keep", [1, 4, 16])
def test_correct_equals_a_literal_reading(keep, monkeypatch):
    monkeypatch.setattr(priors, "CHUNK", 7)
    rng = np.random.default_rng(0)
    ids = random_ids(60, 3, rng)  # collides often
    beams = rng.integers(-1, 3, (30, 10, 4)).astype(np.int16)
    beams[:, :4] = ids[rng.integers(0, 60, (30, 4))]
    targets = rng.integers(0, 60, 30)
    found = priors.correct(beams, targets, ids, keep)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, brute_correct(beams, targets, ids, keep))


def test_correct_keeps_the_order_and_the_target_first():
    ids = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]], dtype=np.int16)
    beams = ids[[3, 2, 1, 0]][None].copy()
    assert priors.correct(beams, np.array([2]), ids, 5).tolist() == [[2, 3, 0, -1, -1]]
    beams[0, 0] = [-1, 0, 0, 0]  # the same digits, but no codeword
    assert priors.correct(beams, np.array([0]), ids, 5).tolist() == [[0, 1, -1, -1, -1]]


def test_an_identifier_outside_the_alphabet_of_the_items_is_no_item():
    ids = np.array([[0, 1, 1, 1], [1, 0, 0, 0]], dtype=np.int16)
    beams = np.array([[[0, 0, 3, 1], [0, 1, 1, 1], [255, 255, 255, 255]]], dtype=np.int16)
    assert beam_items.identifier_items(beams, ids).tolist() == [[-1, 0, -1]]


def test_what_raw_beams_lack_is_counted_by_reason():
    ids = np.array([[0, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]], dtype=np.int16)
    beams = np.array(
        [
            [[1, 0, 0, 0], [0, 1, 1, OTHER_LEVEL], [WORD] * 4, [0, 2, 1, 1]],
            [[0, 1, 1, 1], [1, 0, 0, 0], [NO_BEAM] * 4, [NO_BEAM] * 4],
        ],
        dtype=np.int16,
    )
    found = beam_items.quality(beams, np.array([2, 1]), ids)
    assert found["invalid_share"] == 3 / 6
    assert found["invalid_share_by_rank"] == [0, 1 / 2, 1, 1]
    reasons = {"word": [1, 0, 0, 0], "other_level": [0, 0, 0, 1], "no_item": [0, 1, 0, 0]}
    assert found["invalid_by_level"] == {n: [c / 6 for c in of] for n, of in reasons.items()}
    assert (found["target_share"], found["first_share"]) == (1, 1 / 2)
    assert found["empty_share"] == 0
    none = np.full_like(beams, NO_BEAM)
    assert beam_items.quality(none, np.array([2, 1]), ids)["empty_share"] == 1


def test_distances_follow_the_equation():
    rng = np.random.default_rng(1)
    ids = random_ids(40, 3, rng)
    expected = [
        [sum(2 ** (4 - i) * (p[i - 1] != q[i - 1]) for i in range(1, 5)) for q in ids] for p in ids
    ]
    np.testing.assert_array_equal(priors.distances(ids, np.arange(40)), expected)


def test_by_distance_samples_every_distance_once_and_uniformly(monkeypatch):
    rng = np.random.default_rng(2)
    ids = random_ids(50, 3, rng)
    distance = priors.distances(ids, np.arange(50)).astype(int)
    targets = np.repeat(rng.permutation(50), 40)
    found = priors.by_distance(targets, ids, seed=3)
    for target, row in zip(targets, found, strict=True):
        real = row[row >= 0]
        assert real[0] == target and (row[len(real) :] == -1).all()
        assert distance[target][real[1:]].tolist() == sorted(set(distance[target]) - {0})
    np.testing.assert_array_equal(found, priors.by_distance(targets, ids, seed=3))
    assert (found != priors.by_distance(targets, ids, seed=4)).any()

    for name, value in (("CHUNK", 7), ("CELLS", 150)):  # examples, and three targets, at once
        monkeypatch.setattr(priors, name, value)
        np.testing.assert_array_equal(found, priors.by_distance(targets, ids, seed=3))

    far = found[np.arange(len(found)), (found >= 0).sum(1) - 1]  # at the largest distance
    drawn = far[targets == 7]
    among = np.flatnonzero(distance[7] == distance[7].max())
    assert set(drawn) <= set(among) and len(set(drawn)) > min(len(among), 40) / 3


def test_by_distance_needs_little_memory_beside_the_candidates():
    rng = np.random.default_rng(6)
    targets, ids = rng.integers(0, 50, 200_000), random_ids(50, 3, rng)
    tracemalloc.start()
    found = priors.by_distance(targets, ids, seed=0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * found.nbytes  # all draws at once would be twice as much alone


def test_cooccurrence_equals_brute_force_and_sees_no_dev_or_test_item():
    rng = np.random.default_rng(5)
    items, sequences, user, start, stop = 30, [], [], [], []
    users = []
    for u in range(40):
        own = rng.permutation(items)[: rng.integers(5, 28)].tolist()
        offset = len(sequences)
        sequences += own
        users.append(own[:-2])
        for k in range(1, len(own) - 2):
            user.append(u)
            start.append(offset + max(0, k - 20))
            stop.append(offset + k)
    train = Examples(np.array(sequences, np.int32), *map(np.array, (user, start, stop)))
    expected = np.zeros((items, items), int)
    for own in users:
        for p in own:
            for q in own:
                expected[p, q] += p != q
    pairs = cooccurrences(train, items)
    np.testing.assert_array_equal(pairs.toarray(), expected)

    targets = rng.integers(0, items, 50)
    ids = random_ids(items, 2, rng)  # of which several items share one
    for keep in (4, 16, 40):
        found = priors.by_cooccurrence(targets, pairs, ids, keep)
        for target, row in zip(targets, found, strict=True):
            listed, seen = [target], {tuple(ids[target])}
            for q in sorted(
                np.flatnonzero(expected[target]), key=lambda q: (-expected[target][q], q)
            ):
                if tuple(ids[q]) not in seen:
                    seen.add(tuple(ids[q]))
                    listed.append(q)
            assert row.tolist() == (listed + [-1] * keep)[:keep]


def test_summary_counts_candidates():
    prior = np.array([[1, 2, 3], [4, -1, -1]])
    assert priors.summary(prior) == {
        "examples": 2,
        "mean_candidates": 2.0,
        "full_share": 0.5,
        "target_only_share": 0.5,
    }


def test_labels_are_real_items_of_the_beams():
    ids = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    beams = np.array(
        [[[5, 5], [1, 0], [0, 1]], [[-1, 0], [9, 9], [7, 7]], [[0, 0], [1, 1], [2, 2]]]
    )
    targets = np.array([3, 2, 0])
    assert beam_items.labels(beams, targets, ids, "top", 0).tolist() == [2, 2, 0]
    drawn = np.stack([beam_items.labels(beams, targets, ids, "random", seed) for seed in range(60)])
    assert [set(column) for column in drawn.T.tolist()] == [{1, 2}, {2}, {0, 3}]
    assert np.array_equal(drawn[7], beam_items.labels(beams, targets, ids, "random", 7))


def test_beams_of_other_examples_are_refused(tmp_path):
    ids = np.array([[0, 0, 0, 0], [0, 0, 0, 1]], dtype=np.int16)
    np.save(tmp_path / "beams.npy", ids[:, None])
    beams = np.load(tmp_path / "beams.npy", mmap_mode="r")
    said = rf"beams of 2 examples for 1 targets.*delete {tmp_path}/beams\.npy"
    with pytest.raises(ValueError, match=said):
        priors.correct(beams, np.array([1]), ids)
