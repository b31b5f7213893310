"""Parts of a layer with a backward pass of their own, against torch's."""

import pytest
import torch
from torch.nn import functional as F

from lohrec.common import autograd_functions
from lohrec.common.autograd_functions import drop, pack, relu_drop, rms_norm, unpack


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_so_many_entries_are_dropped_and_the_others_scaled(share):
    torch.manual_seed(0)
    x = torch.ones(999, 1001)
    y = drop(x, share, True)
    kept = y > 0
    # Five standard deviations of a binomial share.
    assert abs(1 - kept.float().mean() - share) < 5 * (share * (1 - share) / x.numel()) ** 0.5
    assert torch.allclose(y[kept], torch.tensor(1 / (1 - share)), rtol=1e-3)
    for dim in (0, 1):  # neighbours fall independently of each other
        a, b = kept.narrow(dim, 0, 998).float(), kept.narrow(dim, 1, 998).float()
        assert abs((a * b).mean() - (1 - share) ** 2) < 3e-3


def test_the_gradient_goes_where_the_value_went():
    x = torch.randn(7, 13, requires_grad=True)
    y = drop(x, 0.3, True)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(grad * x, y)
    assert 0 < (grad == 0).sum() < grad.numel()


def test_nothing_is_dropped_outside_of_training():
    x = torch.randn(5)
    assert drop(x, 0.5, False) is x
    assert drop(x, 0.0, True) is x
    assert torch.equal(relu_drop(x, 0.5, False), F.relu(x))
    assert torch.equal(relu_drop(x, 0.0, True), F.relu(x))


def test_a_seed_repeats_it_and_the_type_is_kept():
    x = torch.randn(6, 5).bfloat16().T
    torch.manual_seed(3)
    a = drop(x, 0.4, True)
    torch.manual_seed(3)
    assert torch.equal(a, drop(x, 0.4, True))
    assert a.dtype == torch.bfloat16


def test_dropout_after_relu_is_both():
    x = torch.randn(50, 40, requires_grad=True)
    torch.manual_seed(1)
    y = relu_drop(x, 0.2, True)
    torch.manual_seed(1)
    wanted = drop(F.relu(x), 0.2, True)
    assert torch.equal(y, wanted)
    grad = torch.randn_like(y)
    found, wanted = (torch.autograd.grad(value, x, grad)[0] for value in (y, wanted))
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("shape", [(3, 5, 8), (4, 8)])
def test_normalisation_has_torchs_values_and_gradients(shape):
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(8, requires_grad=True)
    values = rms_norm(x, weight, 1e-6), F.rms_norm(x, (8,), weight, 1e-6)
    torch.testing.assert_close(*values)
    grad = torch.randn(shape)
    torch.testing.assert_close(*(torch.autograd.grad(v, (x, weight), grad) for v in values))
    with torch.no_grad():
        torch.testing.assert_close(rms_norm(x, weight, 1e-6), values[1])


def test_rows_are_packed_and_put_back_with_their_gradients():
    x = torch.randn(6, 3, requires_grad=True)
    place = torch.tensor([0, 2, 5])
    packed = pack(x, place)
    assert torch.equal(packed, x[place])
    back = unpack(packed, place, 6)
    mask = torch.zeros(6, 1).index_fill_(0, place, 1)
    assert torch.equal(back, x * mask)
    grad = torch.randn(6, 3)
    assert torch.equal(torch.autograd.grad(back, x, grad)[0], grad * mask)


def test_masks_of_what_fills_the_pool_differ(monkeypatch):
    monkeypatch.setattr(autograd_functions, "POOL", 128)
    x = torch.ones(128)
    torch.manual_seed(0)
    first, second = drop(x, 0.5, True), drop(x, 0.5, True)
    assert not torch.equal(first, second)
    assert 0.3 < (first == second).float().mean() < 0.7
