"""The losses of S3-Rec against loops over places, one sequence and one pair at a time."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_shop
import torch
from test_item_networks import ITEMS, network, walks

from lohrec.common import training as runs
from lohrec.configuration.sections import defaults, overlaid, tree
from lohrec.recommender.baselines import s3_rec
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.item_networks import whole
from lohrec.recommender.item_training import ItemData
from lohrec.recommender.recommender import named

MASK = -2


@pytest.fixture(scope="module")
def made():
    model = network("s3_rec").double()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    with torch.no_grad():
        model.item.weight[ITEMS:] = 0
    return model


@pytest.fixture(scope="module")
def rows():
    batch = ItemData(walks().aligned(), True).batch(np.arange(50))
    return whole(batch)


def states(made, sequence):
    """The states of one sequence without padding, MASK for what is not seen."""
    x = [made.mask if item == MASK else made.item.weight[item] for item in sequence]
    x = torch.stack(x) + made.position.weight[: len(sequence)]
    x = made.norm(x).unsqueeze(0)
    for layer in made.layers:
        x = layer(x, torch.ones(len(sequence), len(sequence), dtype=torch.bool))
    return x[0]


def cost(score, yes):
    p = torch.sigmoid(score)
    return -torch.log(p if yes else 1 - p)


def test_items_and_attributes(made, rows):
    items, _ = rows
    torch.manual_seed(1)
    masked = (torch.rand(items.shape) < 0.3) & (items >= 0)
    other = torch.randint_like(items, ITEMS)
    costs = {"aap": [], "mip": [], "map": []}
    for row, hidden, others in zip(items.tolist(), masked.tolist(), other.tolist(), strict=True):
        n = sum(item >= 0 for item in row)
        seen = zip(row[:n], hidden[:n], strict=True)
        h = states(made, [MASK if masked else item for item, masked in seen])
        for place in range(n):
            item, name = row[place], "map" if hidden[place] else "aap"
            has = set(made.attributes[item].tolist())
            read = made.pairs[name](h[place])
            score = made.attribute.weight @ read
            costs[name].append(sum(cost(s, a in has) for a, s in enumerate(score)))
            if hidden[place]:
                read = made.pairs["mip"](h[place])
                own, wrong = (read @ made.item.weight[i] for i in (item, others[place]))
                costs["mip"].append(cost(torch.sigmoid(own) - torch.sigmoid(wrong), True))
    found = s3_rec.tells_items(made, items, masked, other)
    for name, value in found.items():
        torch.testing.assert_close(value, torch.stack(costs[name]).sum() / len(items))


def test_segments(made, rows):
    items, length = rows
    torch.manual_seed(2)
    begin, end = s3_rec.segments(length)
    assert ((begin >= 0) & (begin < end) & (end <= length)).all()
    assert (end - begin <= (length // 2).clamp(min=1)).all()
    partner, costs = torch.randperm(len(items)), []
    for row, n in enumerate(length.tolist()):
        low, high = begin[row].item(), end[row].item()
        own = items[row, :n].tolist()
        their = items[partner[row], : length[partner[row]]].tolist()
        segment = [their[k % len(their)] for k in range(high - low)]
        rest = [MASK if low <= k < high else item for k, item in enumerate(own)]
        alone = [MASK] * low + own[low:high] + [MASK] * (n - high)
        wrong = [MASK] * low + segment + [MASK] * (n - high)
        rest, alone, wrong = (states(made, s)[-1] for s in (rest, alone, wrong))
        read = made.pairs["sp"](rest)
        costs.append(cost(torch.sigmoid(read @ alone) - torch.sigmoid(read @ wrong), True))
    found = s3_rec.tells_segments(made, items, length, begin, end, partner)["sp"]
    torch.testing.assert_close(found, torch.stack(costs).mean())


def test_the_loss_is_the_weighted_sum_and_learns(made):
    batch = ItemData(walks().aligned(), True).batch(np.arange(50))
    model = network("s3_rec").train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    totals = []
    for _ in range(30):
        found = s3_rec.losses(model, batch, 0.3)
        expected = 0.2 * found["aap"] + found["mip"] + found["map"] + 0.5 * found["sp"]
        torch.testing.assert_close(found["loss"], expected)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        totals.append(found["loss"].item())
    assert totals[-1] < 0.5 * totals[0]


@pytest.mark.parametrize("killed_at", [4, 10**9], ids=["before", "after"])
def test_a_killed_run_goes_on_with_what_it_learned_before(tmp_path, monkeypatch, killed_at):
    """Killed among the steps before the next item, or at the first one after them."""
    shop = tiny_shop.make(tmp_path)
    settings = overlaid(defaults(tree()["recommenders"]["s3_rec"]), {"before": 4})
    settings = overlaid(settings, {"training": tiny_shop.SMALL["training"]})
    inputs = Inputs(shop.train, shop.dev, shop.catalogue, 20, shop.artefacts, tiny_shop.DECODING)
    monkeypatch.setattr(runs, "SAVE_SECONDS", 0)
    steps, losses = [], s3_rec.losses

    def fit(checkpoint, killed_at):
        def counted(*given, **named):
            steps.append(0)
            if len(steps) == killed_at:
                raise KeyboardInterrupt
            return losses(*given, **named)

        steps.clear()
        monkeypatch.setattr(s3_rec, "losses", counted)
        return named("s3_rec").fit(replace(inputs, checkpoint=checkpoint), settings, 0)

    whole_run = fit(None, None)
    every = len(steps)
    assert every > 4
    path = tmp_path / ".model.checkpoint"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if killed_at > every:
            patch.setattr(s3_rec.S3Rec, "trained", interrupted)
        fit(path, killed_at)
    again = fit(path, None)
    assert len(steps) == max(0, every - killed_at + 1)
    for a, b in zip(whole_run.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(a, b)


def interrupted(*_):
    raise KeyboardInterrupt
