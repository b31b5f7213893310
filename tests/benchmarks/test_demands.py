"""What jobs ask of a cluster follows files, network, data and attempt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lohrec.benchmarks import arithmetic, demands
from lohrec.configuration import rows, settings
from lohrec.recommender.networks.compact import Compact
from lohrec.recommender.networks.t5 import T5
from lohrec.teacher import memory_plan
from lohrec.teacher.model import build_llama

DATA = {"train": 8039, "dev": 1371, "test": 1371, "items": 486}


@pytest.fixture
def resolved(config: dict) -> dict:
    return settings.resolve(config)


def test_each_try_asks_for_twice_as_much() -> None:
    asked = [demands.megabytes([], 1e9, 0, attempt) for attempt in (1, 2, 3)]
    assert asked == [2500, 5000, 10000]
    limits = [demands.minutes(0, 1, 0, attempt) for attempt in (1, 2, 3)]
    assert limits == [120, 240, 480]


def test_a_gpu_takes_memory_of_its_machine_and_is_faster_than_a_thread() -> None:
    assert demands.megabytes([], 0, 1, 1) - demands.megabytes([], 0, 0, 1) == 3000
    # A process for each GPU.
    assert demands.megabytes([], 1e9, 2, 1) == 2 * demands.megabytes([], 1e9, 1, 1)
    work = 100 * 3600 * demands.GPU  # operations of 100 hours
    assert demands.minutes(work, 4, 1, 1) == 6120
    assert demands.minutes(work, 4, 2, 1) == 3120
    assert demands.minutes(work, 4, 0, 1) > 6120


def test_a_table_unfolds_an_array_is_mapped_and_what_is_not_there_counts_nothing(
    tmp_path: Path,
) -> None:
    sizes = {"a.parquet": 10**9, "a.npy": 10**9, "a.safetensors": 10**9, "large.npy": 10**11}
    for name, size in sizes.items():
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)  # it has no blocks
    least = demands.megabytes([], 0, 0, 1)

    def beyond(*names: str) -> int:
        return demands.megabytes([str(tmp_path / name) for name in names], 0, 0, 1) - least

    assert [beyond(name) for name in sizes] == [10_000, 1_000, 2_000, 4_000]
    assert beyond("a.parquet", "a.parquet", "absent") == 10_000


@pytest.mark.parametrize("dataset", ["demo", "gift_cards", "gift_cards_text", "instruments_gpu"])
def test_a_teacher_from_scratch_is_planned_as_its_network_is(resolved: dict, dataset: str) -> None:
    values = resolved[dataset]
    teacher = values["teacher"]
    words = values["adaptation"]["vocabulary"] if teacher["kind"] == "scratch_text" else None
    network = build_llama(
        teacher["network"] | teacher["training"],
        None if words is None else SimpleTokenizer(words + 1024),
    )
    parameters = sum(p.numel() for p in network.parameters())
    assert memory_plan.parameters(values) == pytest.approx(parameters, rel=0.01)
    planned = memory_plan.of_settings(values)
    step = memory_plan.of_packed(teacher["training"], values["adaptation"])
    if words is None:
        longest = 1 + 4 * (values["ingest"]["history"] + 1)
        step = memory_plan.of_windows(teacher["training"], longest)
    of_network = memory_plan.of_network(network, step)
    for part, size in of_network.items():
        assert planned[part] == pytest.approx(size, rel=0.01), part


class SimpleTokenizer:
    """As much of a tokenizer as a network is made from."""

    bos_token_id = 0

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size


def test_the_teacher_takes_its_weights_beside_a_gpu_and_its_whole_plan_without(
    resolved: dict,
) -> None:
    values = resolved["instruments_gpu"]
    beside, without = (demands.network("train_teacher", values, gpus, {}) for gpus in (1, 0))
    assert without == sum(memory_plan.of_settings(values).values())
    # In float32 and as a bfloat16 copy, with two moments of the optimiser.
    assert beside == pytest.approx(14 * memory_plan.parameters(values), rel=0.01)
    # Of a checkpoint the plan is what its check reported.
    checked = {"parameters": 7e9, "memory_plan_gb": {"frozen weights": 13.0, "activations": 5.0}}
    paper = resolved["games"]
    assert demands.network("train_teacher", paper, 1, {}) == 0
    assert demands.network("train_teacher", paper, 1, checked) == pytest.approx(13e9)
    assert demands.network("train_teacher", paper, 0, checked) == pytest.approx(18e9)


def test_ease_asks_for_the_matrix_that_it_inverts() -> None:
    others, few, many = (
        demands.network("fit", {"text": {}}, 0, {}, name, items)
        for name, items in (("sasrec", 40_000), ("ease", 100), ("ease", 40_000))
    )
    assert few == pytest.approx(others, rel=1e-3)
    # Three tables of float32, one more than the inverse itself and what it came from.
    assert many - others == 3 * 4 * 40_000**2


def test_operations_are_known_with_the_data_and_grow_with_them(resolved: dict) -> None:
    of_teacher = ["train_teacher", "generate_candidates", "score_codewords"]
    for step in ["train_rqvae", "fit", "recommend", *of_teacher]:
        row = {"recommender": "generative", "network": "t5", "ranking": 0.0}
        assert demands.operations(step, resolved["demo"], row, {}, {}) == 0
        one = demands.operations(step, resolved["demo"], row, DATA, {})
        doubled = {name: 2 * number for name, number in DATA.items()}
        assert demands.operations(step, resolved["demo"], row, doubled, {}) == 2 * one > 0
    tokens = 4 * 21 * DATA["train"] * resolved["demo"]["teacher"]["training"]["epochs"]
    parameters = memory_plan.parameters(resolved["demo"])
    taught = demands.operations("train_teacher", resolved["demo"], {}, DATA, {})
    assert taught == pytest.approx(6 * parameters * tokens)
    assert demands.operations("ingest", resolved["demo"], {}, DATA, {}) == 0


@pytest.mark.parametrize("dataset", ["games", "games_gpu", "games_laptop"])
def test_each_row_asks_for_the_time_of_its_own_kind(
    config: dict, resolved: dict, dataset: str
) -> None:
    data = {"train": 301_351, "dev": 50_546, "test": 50_546, "items": 16_859}  # Games
    gpus, asked = resolved[dataset]["cuda"]["fit"]["count"], {}
    for name, row in config["variants"].items():
        values = rows.of_row(resolved[dataset], row)
        given = demands.operations("fit", values, row, data, {}), 1
        asked[name] = demands.minutes(*given, gpus, attempt=1)
        listed = demands.operations("recommend", values, row, data, {}), 1
        # No partition is so impatient.
        assert asked[name] <= 12 * 60 and demands.minutes(*listed, gpus, attempt=1) <= 240, name
    trains_nothing = ["popularity", "last_item", "item_cosine", "lcrec", "dtr", "ensemble"]
    assert {asked[name] for name in trains_nothing} == {demands.LEAST_MINUTES}
    assert asked["sasrec"] <= asked["tiger_compact"] < asked["tiger"]
    assert asked["bert4rec"] >= asked["sasrec"]  # more epochs
    assert asked["distill_more"] < asked["dwr"] <= asked["tiger"]  # further training, ranking


def test_arrays_take_the_disk_that_their_shapes_say(resolved: dict) -> None:
    values, examples = resolved["demo"], DATA["train"]
    beams = values["candidates"]["beams"]
    assert values["probabilities"]["codewords"] == "level"
    shards = values | {"sharding": {"folds": 2, "shards": 4}}
    whole = {
        "gather_shards probabilities": np.float16().itemsize * examples * 4 * 256,
        "gather_shards beams": np.int16().itemsize * examples * beams * 4,
        "teach probabilities": np.float16().itemsize * examples * 4 * 256,
        "order_candidates": np.int32().itemsize * examples * values["candidates"]["keep"],
        "embed_items": np.float32().itemsize * DATA["items"] * values["text"]["dimensions"],
    }
    for step, size in whole.items():
        assert demands.written(*f"{step} ".split(" ")[:2], values, {}, DATA, {}) == size, step
    part = demands.written("score_codewords", "", shards, {}, DATA, {})
    assert 8 * part == whole["gather_shards probabilities"]
    assert demands.written("ingest", "", values, {}, DATA, {}) == 0


@pytest.mark.parametrize("dataset", ["demo", "instruments_lcrec", "games"])
def test_networks_have_as_many_parameters_as_are_counted(resolved: dict, dataset: str) -> None:
    networks = resolved[dataset]["networks"]
    first = torch.arange(DATA["items"])  # no two have one pair of first codewords
    ids = torch.stack([first // 256, first % 256, first % 256, first % 256], 1)
    built = {"t5": T5(networks["t5"]), "compact": Compact.new(networks["compact"], ids)}
    for name, network in built.items():
        parameters = sum(p.numel() for p in network.parameters())
        counted = arithmetic.parameters(name, networks[name], DATA["items"])
        assert counted == pytest.approx(parameters, rel=0.03), name
    # A network of somebody's own is not counted.
    assert arithmetic.parameters("mine", {}, DATA["items"]) == 0


def test_a_training_keeps_its_checkpoint_until_the_run_has_ended(
    resolved: dict, tmp_path: Path
) -> None:
    values, row = resolved["demo"], {"recommender": "generative", "network": "t5"}
    network = T5(values["networks"]["t5"])
    optimizer = torch.optim.AdamW(network.parameters())
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    weights, averages = network.state_dict(), [p.clone() for p in network.parameters()]
    best = {name: value.clone() for name, value in weights.items()}
    torch.save([weights, best, averages, optimizer.state_dict()], tmp_path / "checkpoint")
    save_file({name: p.detach() for name, p in network.named_parameters()}, tmp_path / "model")
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    counted = demands.written("fit", "", values, row, DATA, {})
    assert counted == pytest.approx(size, rel=0.05)
    ease = demands.written("fit", "", values, {"recommender": "ease"}, DATA, {})
    assert ease == np.float16().itemsize * DATA["items"] ** 2
