import itertools

import jsonschema
import pytest
import torch

from lohrec.configuration import registry, rows
from lohrec.configuration.sections import defaults, tree
from lohrec.recommender.losses import distilled, margin_ranking, one_hot, smoothed
from lohrec.recommender.training_data import Batch

PLAIN = {"mixture": 0.0, "temperature": 1.0}


def of_teacher(teacher: torch.Tensor) -> Batch:
    none = torch.empty(0)
    return Batch(none, False, None, none, none, none, teacher)


def test_smoothing_of_zero_is_one_hot():
    code = torch.randint(0, 256, (3, 4))
    target = smoothed.target(code, torch.ones(3, 4, 256, dtype=torch.bool), 0.0)
    assert torch.equal(target, torch.nn.functional.one_hot(code, 256).float())
    log_p = torch.randn(3, 4, 256).log_softmax(-1)
    batch = of_teacher(target)
    losses = [m.loss(log_p, code, batch, {"smoothing": 0.0}) for m in (smoothed, one_hot)]
    torch.testing.assert_close(*losses)


def test_smoothed_as_in_equation_10():
    target = smoothed.target(torch.tensor([2]), torch.ones(1, 5, dtype=torch.bool), 0.1)
    expected = torch.tensor([[0.025, 0.025, 0.9, 0.025, 0.025]])
    torch.testing.assert_close(target, expected)


def test_smoothing_spreads_over_the_legal_siblings_alone():
    legal = torch.tensor([[True, False, True, True], [False, True, False, False]])
    target = smoothed.target(torch.tensor([2, 1]), legal, 0.1)
    torch.testing.assert_close(target, torch.tensor([[0.05, 0, 0.9, 0.05], [0, 1, 0, 0]]))


@pytest.mark.parametrize("module", [one_hot, smoothed, distilled])
def test_what_is_not_legal_costs_nothing_and_has_no_gradient(module):
    torch.manual_seed(0)
    legal = torch.rand(3, 4, 9) < 0.4
    code = torch.randint(0, 9, (3, 4))
    legal.scatter_(-1, code.unsqueeze(-1), True)
    legal[0] = torch.nn.functional.one_hot(code[0], 9).bool()  # no choice at all
    logits = torch.randn(3, 4, 9, requires_grad=True)
    teacher = torch.rand(3, 4, 9).masked_fill(~legal, -torch.inf).softmax(-1)
    log_p = logits.masked_fill(~legal, -torch.inf).log_softmax(-1)
    settings = {"smoothing": 0.1, "mixture": 0.3, "temperature": 2.0}
    loss = module.loss(log_p, code, of_teacher(teacher), settings)
    loss.backward()
    assert loss.isfinite() and (logits.grad[~legal] == 0).all() and logits.grad[legal].any()
    assert (logits.grad[0] == 0).all()
    alone = module.loss(log_p[:1], code[:1], of_teacher(teacher[:1]), settings)
    assert alone.item() == 0


def test_generation_of_one_hot_is_the_negative_log_likelihood():
    logits, code = torch.randn(3, 4, 256), torch.randint(0, 256, (3, 4))
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), code.flatten())
    log_p = logits.log_softmax(-1)
    batch = of_teacher(torch.nn.functional.one_hot(code, 256).float())
    torch.testing.assert_close(one_hot.loss(log_p, code, batch, {}), expected)
    torch.testing.assert_close(distilled.loss(log_p, code, batch, PLAIN), expected)


def test_generation_is_least_at_the_target_itself():
    target = torch.rand(2, 4, 9).softmax(-1)
    code, batch = target.argmax(-1), of_teacher(target)
    best = distilled.loss(target.log(), code, batch, PLAIN)
    other = torch.rand(2, 4, 9).log_softmax(-1)
    assert best < distilled.loss(other, code, batch, PLAIN)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_divides_what_the_teacher_gave_to_its_softmax(temperature):
    logits, log_p = torch.randn(3, 4, 9), torch.randn(3, 4, 9).log_softmax(-1)
    code = torch.zeros(3, 4, dtype=torch.long)
    wanted = -((logits / temperature).softmax(-1) * log_p).sum(-1).mean()
    settings = PLAIN | {"temperature": temperature}
    found = distilled.loss(log_p, code, of_teacher(logits.softmax(-1)), settings)
    torch.testing.assert_close(found, wanted)


def test_an_example_without_probabilities_learns_the_true_item():
    log_p, code = torch.randn(2, 4, 9).log_softmax(-1), torch.randint(0, 9, (2, 4))
    teacher = torch.rand(2, 4, 9).softmax(-1)
    teacher[1] = 0
    first = distilled.loss(log_p[:1], code[:1], of_teacher(teacher[:1]), PLAIN)
    second = one_hot.loss(log_p[1:], code[1:], of_teacher(teacher[1:]), {})
    both = distilled.loss(log_p, code, of_teacher(teacher), PLAIN)
    torch.testing.assert_close(both, (first + second) / 2)


def test_scores_are_normalised_by_length_as_in_equation_13():
    total = torch.tensor([-8.0, -2.0])
    assert torch.equal(margin_ranking.score(total, 4), total / 4)


@pytest.mark.parametrize("name", registry.names("loss"))
def test_defaults_are_within_their_own_bounds(name):
    module = registry.load("loss", name)
    for own in module.SETTINGS.values():
        jsonschema.validate(own["default"], own)
    assert set(module.READS) <= {"probabilities", "prior"}


@pytest.mark.parametrize("name", [n for n in registry.names("loss") if n != rows.RANKING])
def test_a_generation_loss_falls_as_the_true_item_gains(name):
    settings = defaults(tree()["losses"][name])
    code, logits = torch.randint(0, 256, (3, 4)), torch.randn(3, 4, 256)
    true = torch.nn.functional.one_hot(code, 256).float()
    values = []
    for more in (0.0, 1.0, 2.0):
        log_p = (logits + more * true).log_softmax(-1).requires_grad_()
        values.append(registry.load("loss", name).loss(log_p, code, of_teacher(true), settings))
        (gradient,) = torch.autograd.grad(values[-1], log_p)
        assert values[-1].shape == () and gradient.isfinite().all()
        assert (gradient.gather(-1, code.unsqueeze(-1)) < 0).all()
    assert values[0] > values[1] > values[2] > 0


@pytest.mark.parametrize("reduction", ["sum", "mean", "by_gap"])
def test_margin_ranking_against_loops(reduction):
    torch.manual_seed(0)
    score, real = torch.randn(6, 16), torch.rand(6, 16) > 0.3
    real[5, 1:] = False  # no pair at all
    expected = []
    for s, r in zip(score, real, strict=True):
        pairs = [(i, j) for i, j in itertools.combinations(range(16), 2) if r[i] and r[j]]
        hinge = {(i, j): max(float(s[j] - s[i]) + (j - i) * 0.1, 0) for i, j in pairs}
        gaps = [[hinge[p] for p in pairs if p[1] - p[0] == gap] for gap in range(1, 16)]
        expected.append(
            {
                "sum": sum(hinge.values()),
                "mean": sum(hinge.values()) / max(1, len(pairs)),
                "by_gap": sum(sum(g) / len(g) for g in gaps if g),
            }[reduction]
        )
    settings = {"margin": 0.1, "reduction": reduction, "ranked_target": True}
    found = margin_ranking.loss(score, real, settings)
    assert found.item() == pytest.approx(sum(expected) / 6, rel=1e-5)


def test_separated_scores_cost_nothing():
    score = -torch.arange(16.0).repeat(2, 1)
    settings = {"margin": 0.5, "reduction": "sum", "ranked_target": True}
    assert margin_ranking.loss(score, torch.ones(2, 16, dtype=torch.bool), settings) == 0
