import numpy as np
import pytest
import torch

from lohrec.identifiers.collisions import FullError, place, resolve, transport_plan
from lohrec.identifiers.rqvae import RQVAE

SETTINGS = {"epsilon": 0.003, "iterations": 50, "rounds": 20}


def random_model(codes: int, latent: int = 4, levels: int = 4, seed: int = 0) -> RQVAE:
    torch.manual_seed(seed)
    model = RQVAE(latent, [], latent, levels, codes)
    scale = torch.tensor([1.0, 0.5, 0.25, 0.12])[-levels:, None, None]
    model.codebooks.data = torch.randn(levels, codes, latent) * scale
    return model


def test_plan_equals_sinkhorn_on_plain_numbers():
    cost = torch.rand(5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = torch.exp(-cost / 0.5)
    for _ in range(50):
        plan = plan / plan.sum(1, keepdim=True) / 5
        plan = plan / plan.sum(0, keepdim=True) / 8
    torch.testing.assert_close(transport_plan(cost, 0.5, 50).exp(), plan)
    torch.testing.assert_close(plan.sum(1), torch.full((5,), 0.2, dtype=torch.float64))


def test_plan_stays_finite_where_plain_exponentials_vanish():
    cost = torch.tensor([[-1.0, 1.0, 1.0, 1.0], [-1.0, 0.99, 1.0, 1.0]], dtype=torch.float64)
    assert torch.exp(-cost / 1e-4).isinf().any()
    plan = transport_plan(cost, 1e-4, 50)
    assert plan.isfinite().all()
    torch.testing.assert_close(plan.exp().sum(0), torch.full((4,), 0.25, dtype=torch.float64))


def test_items_that_do_not_collide_keep_their_nearest_codewords():
    model = random_model(codes=32)
    z = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    found = resolve(model, z, **SETTINGS)
    quantised = model.quantise(z).numpy()
    assert len(np.unique(quantised, axis=0)) == 40
    np.testing.assert_array_equal(found.final, quantised)
    assert found.moved == {"unmoved": 40, "transport": 0, "nearest_free": 0, "other_prefix": 0}


def test_no_collisions_remain_and_every_item_is_counted_once():
    model = random_model(codes=16)
    z = torch.randn(600, 4, generator=torch.Generator().manual_seed(1)) * 0.7
    found = resolve(model, z, **SETTINGS)
    assert len(np.unique(found.quantised, axis=0)) < len(np.unique(found.transported, axis=0))
    assert len(np.unique(found.final, axis=0)) == 600
    assert found.final.dtype == np.int16
    assert sum(found.moved.values()) == 600
    np.testing.assert_array_equal(found.transported[:, :3], found.quantised[:, :3])
    # An item's move starts from a shared identifier: nobody who was alone is moved at the end.
    _, group, count = np.unique(found.transported, axis=0, return_inverse=True, return_counts=True)
    moved = (found.final != found.transported).any(1)
    assert (count[group[moved]] > 1).all()
    assert moved.sum() == (count - 1).sum()
    again = resolve(model, z, **SETTINGS)
    np.testing.assert_array_equal(again.final, found.final)


def test_only_those_that_a_prefix_has_no_room_for_leave_it():
    model = random_model(codes=8)
    z = torch.randn(800, 4, generator=torch.Generator().manual_seed(0))
    found = resolve(model, z, **SETTINGS)
    assert len(np.unique(found.final, axis=0)) == 800
    before, after = found.transported[:, :3], found.final[:, :3]
    _, prefix, count = np.unique(before, axis=0, return_inverse=True, return_counts=True)
    left = np.bincount(prefix, (before != after).any(1))
    assert left.any()
    np.testing.assert_array_equal(left, np.maximum(count - 8, 0))


def test_transport_parts_two_items_and_each_takes_its_own_side():
    model = random_model(codes=4, latent=1, levels=2)
    model.codebooks.data = torch.tensor([[[0.0]] * 4, [[-3.0], [-1.0], [1.0], [3.0]]])
    model.codebooks.data[0, 1:] = 100.0
    z = torch.tensor([[0.9], [1.1]])
    found = resolve(model, z, **SETTINGS)
    np.testing.assert_array_equal(found.quantised, [[0, 2], [0, 2]])
    np.testing.assert_array_equal(found.final, [[0, 1], [0, 2]])
    assert found.moved["transport"] == 1


def test_equal_items_spread_to_the_nearest_free_codewords_and_then_to_the_next_prefix():
    model = random_model(codes=8, levels=3)
    z = torch.zeros(20, 4)
    found = resolve(model, z, **SETTINGS)
    first = found.quantised[0]
    assert (found.quantised == first).all()
    assert len(np.unique(found.final, axis=0)) == 20
    same = (found.final[:, :2] == first[:2]).all(1)
    assert same.sum() == 8  # the prefix is full
    assert found.moved["nearest_free"] == 7
    assert found.moved["other_prefix"] == 12
    # The rest went to the codewords of the second level in order of their distance.
    order = model.distances(z[:1] - model.codebooks[0][[int(first[0])]], 1)[0].argsort()
    used = np.unique(found.final[:, 1])
    assert set(used) == set(order[:3].tolist())


def test_more_equal_items_than_two_levels_hold_is_an_error():
    model = random_model(codes=3, levels=3)
    with pytest.raises(ValueError, match="collapsed"):
        resolve(model, torch.zeros(10, 4), **SETTINGS)
    ids = resolve(model, torch.zeros(8, 4), **SETTINGS).final
    with pytest.raises(FullError, match=r"no identifier is left .* larger rqvae\.network\.codes"):
        place(model, torch.zeros(2, 4), ids)


def test_new_items_get_their_nearest_codewords_or_the_nearest_that_are_free() -> None:
    model = random_model(codes=8)
    generator = torch.Generator().manual_seed(1)
    old, new = (torch.randn(n, 4, generator=generator) for n in (300, 60))
    ids = resolve(model, old, **SETTINGS).final
    # Some new items have the latent of an old one.
    new[:10] = old[:10]
    found = place(model, new, ids)
    assert len(np.unique(np.concatenate([ids, found]), axis=0)) == 360
    np.testing.assert_array_equal(found, place(model, new, ids))
    used, books = set(map(tuple, ids.tolist())), model.codebooks.detach()
    quantised = model.quantise(new).numpy()
    for z, own, code in zip(new, quantised.tolist(), found.tolist(), strict=True):
        room = [c for c in range(8) if (*own[:3], c) not in used]
        if room:  # by brute force, the nearest of those that nobody has
            head = sum(books[level][own[level]] for level in range(3))
            assert code == [*own[:3], min(room, key=lambda c: (z - head - books[3][c]).norm())]
        else:
            assert code[:2] == own[:2] and code[2] != own[2]
        used.add(tuple(code))
    assert (found == quantised).all(1).any() and (found[:, :3] != quantised[:, :3]).any()
