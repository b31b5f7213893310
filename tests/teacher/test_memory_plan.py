"""The memory that a teacher's training is planned to take."""

import numpy as np
import pytest
import tiny_llama
import torch

from lohrec.common import devices
from lohrec.teacher import memory_plan, sequence_packing
from lohrec.teacher.model import build_llama

CPU = torch.device("cpu")


def test_the_memory_plan_counts_what_lora_trains(llama_folder):
    learner = tiny_llama.text_learner(llama_folder)
    config = learner.network.config
    counted = memory_plan.lora_parameters(
        32, 48, 2, 4, learner.adaptation["modules"], config.tie_word_embeddings, 16
    )
    learned = sum(p.numel() for p in learner.network.parameters() if p.requires_grad)
    assert counted == learned
    parts = memory_plan.of_network(learner.network, learner.planned)
    assert parts["optimiser"] == 8 * learned
    memory_plan.enough(parts, 1.0, learner.remedy)
    with pytest.raises(RuntimeError, match=r"Lower adaptation\.batch_tokens"):
        memory_plan.enough(parts, 1e-4, learner.remedy)


@pytest.mark.parametrize("bf16", [False, True])
def test_the_memory_plan_counts_what_layers_keep_for_the_backward_pass(bf16):
    rng, kept = np.random.default_rng(0), []
    samples = [sequence_packing.Sample(rng.integers(0, 1000, 32), 21) for _ in range(16)]
    packed = sequence_packing.pack(samples, sequence_packing.fill_rows(np.full(16, 32), 128))
    for layers in (1, 3):
        shape = {"hidden": 64, "layers": layers, "heads": 2, "intermediate": 160}
        network = build_llama(shape | {"dropout": 0.0, "seed": 0}).train()
        weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
        storages = {}

        def keep(tensor, weights=weights, storages=storages):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                storages[storage.data_ptr()] = storage
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            devices.autocast(CPU, bf16),
        ):
            sequence_packing.loss(network, packed)
        size = sum(storage.nbytes() for storage in storages.values())
        # bfloat16 copies of the matrices stand in the plan among the weights.
        size -= 2 * bf16 * sum(p.numel() for p in network.base_model.layers.parameters())
        step = memory_plan.Step(packed.tokens.numel(), 128, 176, False, bf16)
        parts = memory_plan.of_network(network, step)
        kept.append((size, parts["activations"] + parts["mask"]))
    (one, planned_one), (three, planned_three) = kept
    assert three - one == pytest.approx(planned_three - planned_one, rel=0.02)
