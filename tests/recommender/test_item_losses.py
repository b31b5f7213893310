import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lohrec.recommender import item_losses
from lohrec.recommender.item_networks import Batch

ITEMS, WIDTH = 30, 8


@pytest.mark.parametrize("cells", [1, 256, 10**6], ids=["4 places", "8 places", "at once"])
@pytest.mark.parametrize("biased", [True, False])
def test_cross_entropy_has_the_value_and_gradients_of_torch(monkeypatch, cells, biased):
    monkeypatch.setattr(item_losses, "CELLS", cells)
    monkeypatch.setattr(item_losses, "TILE", 4)  # neither the places nor the items are a multiple
    torch.manual_seed(0)
    shapes = [(17, WIDTH), (ITEMS, WIDTH), (ITEMS,)][: 3 if biased else 2]
    target = torch.randint(ITEMS, (17,))
    given = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]
    state, table, *bias = given
    found = item_losses.cross_entropy(state, table, bias[0] if biased else None, target)
    (3 * found).backward()
    gradients = [x.grad.clone() for x in given]
    for x in given:
        x.grad = None
    logits = state @ table.T + (bias[0] if biased else 0)
    expected = F.cross_entropy(logits, target)
    (3 * expected).backward()
    torch.testing.assert_close(found, expected)
    for gradient, x in zip(gradients, given, strict=True):
        torch.testing.assert_close(gradient, x.grad)


def test_cross_entropy_in_bfloat16_is_near():
    torch.manual_seed(0)
    state, target = torch.randn(50, WIDTH, requires_grad=True), torch.randint(ITEMS, (50,))
    table = torch.randn(ITEMS, WIDTH, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = item_losses.cross_entropy(state, table, None, target)
    found.backward()
    expected = F.cross_entropy(state @ table.T, target)
    of_table = torch.autograd.grad(expected, table)[0]
    torch.testing.assert_close(found, expected, rtol=0.01, atol=0.01)
    assert F.cosine_similarity(table.grad.flatten(), of_table.flatten(), dim=0) > 0.999


class Table(nn.Module):
    """States that are given, and a table of items."""

    items = ITEMS

    def __init__(self) -> None:
        super().__init__()
        self.state, self.of_items = torch.randn(3, WIDTH), torch.randn(ITEMS, WIDTH)

    def taught(self, batch):
        return self.state, batch.target

    def output(self):
        return self.of_items

    def bias(self):
        return None


def some_batch() -> Batch:
    items = torch.tensor([[0, 1, 2], [3, 4, -1]])
    row, length = torch.tensor([0, 0, 1]), torch.tensor([1, 3, 2])
    return Batch(items, row, length, torch.tensor([1, 5, 6]))


@pytest.mark.parametrize("name", ["binary", "bpr"])
def test_losses_against_one_other_item_are_as_printed(monkeypatch, name):
    network, batch = Table(), some_batch()
    other = torch.tensor([7, 8, 9])
    monkeypatch.setattr(item_losses, "others", lambda *_: other)
    costs = []
    for state, right, wrong in zip(network.state, batch.target, other, strict=True):
        r, r_other = state @ network.of_items[right], state @ network.of_items[wrong]
        if name == "binary":
            costs.append(-torch.sigmoid(r).log() - (1 - torch.sigmoid(r_other)).log())
        else:
            costs.append(-torch.sigmoid(r - r_other).log())
    torch.testing.assert_close(item_losses.loss(name, network, batch), torch.stack(costs).mean())


def test_the_other_item_is_neither_the_target_nor_in_the_row():
    torch.manual_seed(0)
    batch = some_batch()
    had = [{0, 1, 2}, {0, 1, 2, 5}, {3, 4, 6}]
    drawn = torch.stack([item_losses.others(batch, 12) for _ in range(500)])
    for example, own in enumerate(had):
        times = np.bincount(drawn[:, example], minlength=12)
        new = sorted(set(range(12)) - own)
        # A third of the items six times in a row: 0.1 %.
        assert times[sorted(own)].sum() < 10 and (times[new] > 20).all()
    assert item_losses.others(batch, 7).max() < 7  # also where hardly any is left
