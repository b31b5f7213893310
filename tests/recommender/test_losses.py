import itertools

import pytest
import torch

from lohrec.recommender import losses


def test_smoothing_of_zero_is_one_hot():
    code = torch.randint(0, 256, (3, 4))
    assert torch.equal(losses.smoothed(code, 256, 0.0), losses.one_hot(code, 256))


def test_smoothed_as_in_equation_10():
    target = losses.smoothed(torch.tensor([2]), 5, 0.1)
    expected = torch.tensor([[0.025, 0.025, 0.9, 0.025, 0.025]])
    torch.testing.assert_close(target, expected)


def test_generation_of_one_hot_is_the_negative_log_likelihood():
    logits, code = torch.randn(3, 4, 256), torch.randint(0, 256, (3, 4))
    loss = losses.generation(logits.log_softmax(-1), losses.one_hot(code, 256))
    torch.testing.assert_close(
        loss, torch.nn.functional.cross_entropy(logits.flatten(0, 1), code.flatten())
    )


def test_generation_is_least_at_the_target_itself():
    target = torch.rand(2, 4, 9).softmax(-1)
    best = losses.generation(target.log(), target)
    assert best < losses.generation(torch.rand(2, 4, 9).log_softmax(-1), target)


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
    found = losses.margin_ranking(score, real, 0.1, reduction)
    assert found.item() == pytest.approx(sum(expected) / 6, rel=1e-5)


def test_separated_scores_cost_nothing():
    score = -torch.arange(16.0).repeat(2, 1)
    assert losses.margin_ranking(score, torch.ones(2, 16, dtype=torch.bool), 0.5, "sum") == 0
