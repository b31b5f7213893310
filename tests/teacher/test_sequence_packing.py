"""Packed samples: what they see, their loss and its gradients."""

import numpy as np
import pytest
import tiny_llama
import torch
from torch.nn import functional as F

from lohrec.common import devices
from lohrec.teacher import sequence_packing

CPU = torch.device("cpu")


def test_packed_samples_do_not_see_each_other(untied_llama):
    learner = tiny_llama.text_learner(untied_llama, dropout=0.0)
    drawn = learner.epoch(0)[0][1]
    rng = np.random.default_rng(0)
    samples = learner.samples([learner.tasks.sample(task, index, rng) for task, index in drawn])
    length = np.array([len(sample.tokens) for sample in samples])
    rows = sequence_packing.fill_rows(length, 256)
    assert sorted(index for row in rows for index in row) == list(range(len(samples)))
    assert all(length[row].sum() <= 256 for row in rows) and len(rows) < len(samples) / 2
    network = learner.network.eval()
    with torch.no_grad():
        together = sequence_packing.loss(network, sequence_packing.pack(samples, rows))
        alone, count = 0.0, 0
        for sample in samples:
            tokens = torch.from_numpy(sample.tokens)[None]
            logits = network(tokens).logits[0, sample.prompt - 1 : -1]
            alone += F.cross_entropy(logits, tokens[0, sample.prompt :], reduction="sum")
            count += len(logits)
    torch.testing.assert_close(together, alone / count, atol=1e-5, rtol=1e-5)


def test_a_step_in_parts_has_the_gradients_of_the_whole(untied_llama):
    gradients = []
    for batch_tokens in (256, 100_000):
        learner = tiny_llama.text_learner(untied_llama, batch_tokens=batch_tokens, dropout=0.0)
        parts = learner.parts(learner.epoch(0)[0])
        assert (len(parts) > 1) == (batch_tokens == 256)
        assert sum(part.share for part in parts) == pytest.approx(1)
        learner.network.train()
        for part in parts:
            (learner.loss(part.content) * part.share).backward()
        gradients.append([p.grad for p in learner.network.parameters() if p.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


def test_bfloat16_changes_loss_and_gradients_by_its_rounding(untied_llama):
    learner = tiny_llama.text_learner(untied_llama, dropout=0.0)
    part = learner.parts(learner.epoch(0)[0])[0]
    learner.network.train()
    losses, gradients = [], []
    for bf16 in (False, True):
        learner.network.zero_grad()
        with devices.autocast(CPU, bf16):
            loss = learner.loss(part.content)
        loss.backward()
        losses.append(loss)
        learned = [p.grad for p in learner.network.parameters() if p.requires_grad]
        assert {gradient.dtype for gradient in learned} == {torch.float32}
        gradients.append(torch.cat([gradient.flatten() for gradient in learned]))
    torch.testing.assert_close(*losses, rtol=0.02, atol=0)
    assert F.cosine_similarity(*gradients, dim=0) > 0.98
    assert not torch.equal(*gradients)
