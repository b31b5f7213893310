"""The memory that a teacher's training is planned to take."""

import numpy as np
import pytest
import tiny_llama
import torch
from peft import LoraConfig, get_peft_model

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


@pytest.mark.parametrize("modules", [(), memory_plan.MODULES], ids=["all weights", "LoRA"])
@pytest.mark.parametrize("bf16", [False, True])
def test_the_memory_plan_counts_what_layers_keep_for_the_backward_pass(bf16, modules):
    rng, kept = np.random.default_rng(0), []
    samples = [sequence_packing.Sample(rng.integers(0, 1000, 32), 21) for _ in range(16)]
    packed = sequence_packing.pack(samples, sequence_packing.fill_rows(np.full(16, 32), 128))
    for layers in (1, 3):
        shape = {"hidden": 64, "layers": layers, "heads": 2, "intermediate": 160}
        network = build_llama(shape | {"dropout": 0.0, "seed": 0}).train()
        if modules:
            network = network.to(torch.bfloat16 if bf16 else torch.float32)
            lora = LoraConfig(r=8, lora_dropout=0.05, target_modules=list(modules))
            network = get_peft_model(network, lora).train().get_base_model()
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
        learned = sum(p.numel() for p in network.model.layers.parameters() if p.requires_grad)
        size -= 2 * bf16 * learned
        step = memory_plan.Step(packed.tokens.numel(), 128, 176, False, bf16, modules)
        parts = memory_plan.of_network(network, step)
        kept.append((size, parts["activations"] + parts["mask"]))
    (one, planned_one), (three, planned_three) = kept
    # Of LoRA the plan is the most that was measured.
    needed, planned = three - one, planned_three - planned_one
    assert needed <= 1.02 * planned and planned <= (1.2 if modules else 1.02) * needed
