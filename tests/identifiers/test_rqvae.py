import itertools

import assign_semantic_ids
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import train_rqvae
from sklearn.cluster import KMeans

from lohrec.common import artefacts, unfinished
from lohrec.common import training as runs
from lohrec.identifiers import rqvae, rqvae_training
from lohrec.identifiers.rqvae import RQVAE

NETWORK = {"hidden": [16], "latent": 8, "levels": 4, "codes": 16}
TRAINING = {
    "learning_rate": 3e-3,
    "weight_decay": 1e-4,
    "batch_size": 64,
    "epochs": 24,
    "warmup_epochs": 2,
    "restart_every": 3,
    "seed": 0,
}
SETTINGS = {
    "network": NETWORK,
    "training": TRAINING,
    "objective": {"beta": 0.25, "reduction": "mean"},
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 24))
    return (centres[rng.integers(10, size=500)] + 0.3 * rng.normal(size=(500, 24))).astype("f4")


def without_times(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


def small_model(levels: int = 3) -> RQVAE:
    torch.manual_seed(0)
    model = RQVAE(6, [5], 4, levels, 7)
    model.codebooks.data.normal_()
    model.centre.normal_()
    model.scale.fill_(2.0)
    return model


def test_quantise_is_the_nearest_codeword_of_each_residual():
    model, z = small_model(), torch.randn(9, 4)
    expected = []
    for r in z.clone():
        codes = []
        for book in model.codebooks.detach():
            codes.append(int((book - r).norm(dim=1).argmin()))  # Eq. 2
            r = r - book[codes[-1]]  # Eq. 3
        expected.append(codes)
    codes = model.quantise(z)
    assert codes.tolist() == expected
    total = sum(model.codebooks[level][codes[:, level]] for level in range(3))
    torch.testing.assert_close(model.embed(codes), total)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_losses_are_those_of_the_equations(reduction):
    model, x = small_model(), torch.randn(9, 6)
    reconstruction, codebook = model.losses(x, 0.25, reduction)
    z = model.encode(x)
    codes = model.quantise(z)
    target = (x - model.centre) / model.scale
    error = (target - model.decoder(model.embed(codes))).square().sum(1).mean()
    levels, r = [], z
    for level in range(3):
        e = model.codebooks[level][codes[:, level]]
        levels.append(1.25 * (r - e).square().sum(1).mean())
        r = r - e
    size = {"sum": (1, 1), "mean": (6, 3 * 4)}[reduction]
    torch.testing.assert_close(reconstruction, error / size[0])
    torch.testing.assert_close(codebook, sum(levels) / size[1])


def test_gradients_pass_straight_through_and_stop_where_they_should():
    model, x = small_model(), torch.randn(9, 6)
    reconstruction, _ = model.losses(x, 0.25, "sum")
    reconstruction.backward()
    assert model.codebooks.grad is None or not model.codebooks.grad.any()
    # The encoder gets the gradient that the quantised latent has.
    z = model.encode(x)
    quantised = model.embed(model.quantise(z)).detach().requires_grad_()
    target = (x - model.centre) / model.scale
    (target - model.decoder(quantised)).square().sum(1).mean().backward()
    got = model.encoder[-1].bias.grad
    torch.testing.assert_close(got, quantised.grad.sum(0))

    model.zero_grad()
    model.losses(x, 0.0, "sum")[1].backward()
    assert model.codebooks.grad.any()
    assert not any(p.grad is not None and p.grad.any() for p in model.encoder.parameters())


def test_first_codebook_starts_at_the_k_means_centres(vectors):
    torch.manual_seed(0)
    model = RQVAE(24, [16], 8, 4, 16)
    rqvae_training._initialise(model, torch.from_numpy(vectors), seed=0)
    z = rqvae.encode_all(model, torch.from_numpy(vectors))
    best = KMeans(16, n_init=5, random_state=1).fit(z.numpy()).inertia_
    error = model.distances(z, 0).amin(1).sum().item()
    assert error < 1.2 * best
    x = (torch.from_numpy(vectors) - model.centre) / model.scale
    assert x.mean().abs() < 1e-5
    assert x.square().mean() == pytest.approx(1, abs=1e-4)


def test_unused_codewords_restart_at_residuals(vectors):
    model = RQVAE(24, [16], 8, 4, 16)
    x = torch.from_numpy(vectors)
    rqvae_training._initialise(model, x, seed=0)
    model.codebooks.data[1, 3:] = 1e3
    optimiser = torch.optim.AdamW(model.parameters())
    sum(model.losses(x, 0.25, "mean")).backward()
    optimiser.step()
    z = rqvae.encode_all(model, x)
    moved = rqvae_training._restart(model, optimiser, z, np.random.default_rng(0))
    assert moved >= 13
    residual = z - model.embed(model.quantise(z)[:, :1])
    gap = (model.codebooks[1, 3:, None] - residual).norm(dim=2).amin(1)
    assert gap.max() < 1e-5
    assert not optimiser.state[model.codebooks]["exp_avg"][1, 3:].any()


def test_training_lowers_the_error_and_keeps_the_fewest_collisions(vectors, tmp_path):
    model, history = rqvae_training.train(vectors, SETTINGS, CPU, tmp_path / "c")
    assert [row["epoch"] for row in history] == list(range(1, 25))
    assert history[-1]["reconstruction"] < 0.7 * history[0]["reconstruction"]
    kept = [row for row in history if row["kept"]]
    assert len(kept) == 1
    assert kept[0]["epoch"] > 12
    assert kept[0]["collisions"] == min(row["collisions"] for row in history[12:])
    codes = model.quantise(rqvae.encode_all(model, torch.from_numpy(vectors))).numpy()
    assert kept[0]["collisions"] == len(codes) - len(np.unique(codes, axis=0))
    assert kept[0]["use_1"] == len(np.unique(codes[:, 0]))


@pytest.mark.parametrize(("constant", "place"), [("PAUSE_SECONDS", 8), ("SAVE_SECONDS", 7)])
def test_a_killed_run_continues_to_the_same_result(vectors, tmp_path, monkeypatch, constant, place):
    """From the end of an epoch, or from the last step but one of the next."""
    whole, history = rqvae_training.train(vectors, SETTINGS, CPU, tmp_path / "never")
    monkeypatch.setattr(runs, constant, 0)
    figures, epochs = rqvae_training._figures, []

    def killed_in_epoch_16(*arguments):
        epochs.append(0)
        if len(epochs) == 16:
            raise KeyboardInterrupt
        return figures(*arguments)

    checkpoint = tmp_path / "model.checkpoint"
    monkeypatch.setattr(rqvae_training, "_figures", killed_in_epoch_16)
    with pytest.raises(KeyboardInterrupt):
        rqvae_training.train(vectors, SETTINGS, CPU, checkpoint)
    monkeypatch.setattr(rqvae_training, "_figures", figures)
    state = torch.load(checkpoint, weights_only=True)["state"]
    assert len(state["place"]["history"]) == 15 and state["place"]["place"] == place
    model, continued = rqvae_training.train(vectors, SETTINGS, CPU, checkpoint)
    assert without_times(continued) == without_times(history)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=0)
    # Other settings do not continue from it.
    changed = SETTINGS | {"training": TRAINING | {"epochs": 2, "seed": 1}}
    _, other = rqvae_training.train(vectors, changed, CPU, checkpoint)
    assert len(other) == 2


def test_fewer_distinct_items_than_codewords(tmp_path):
    few = np.random.default_rng(0).normal(size=(20, 6)).astype("f4")
    few[10:] = few[:10]
    settings = SETTINGS | {
        "network": NETWORK | {"codes": 64},
        "training": TRAINING | {"epochs": 4},
    }
    model, history = rqvae_training.train(few, settings, CPU, tmp_path / "c")
    assert min(row["collisions"] for row in history) == 10
    assert np.isfinite(history[-1]["reconstruction"])
    assert model.codebooks.isfinite().all()
    rqvae_training.train(np.ones((5, 6), dtype="f4"), settings, CPU, tmp_path / "d")


def test_bad_vectors_are_named(tmp_path):
    bad = np.zeros((4, 3), dtype="f4")
    bad[2, 1] = np.nan
    with pytest.raises(ValueError, match="1 vectors are not finite, that of item 2"):
        rqvae_training.train(bad, SETTINGS, CPU, tmp_path / "c")
    with pytest.raises(ValueError, match="shape"):
        rqvae_training.train(np.zeros((0, 3)), SETTINGS, CPU, tmp_path / "c")


def test_saved_models_are_equal_and_other_files_are_refused(tmp_path):
    model = small_model()
    rqvae.save(tmp_path / "m.safetensors", model)
    again = rqvae.load(tmp_path / "m.safetensors")
    assert again.shape == model.shape
    x = torch.randn(3, 6)
    torch.testing.assert_close(again.encode(x), model.encode(x), rtol=0, atol=0)
    (tmp_path / "x.safetensors").write_bytes(b"no model")
    with pytest.raises(ValueError, match="no RQ-VAE"):
        rqvae.load(tmp_path / "x.safetensors")


def test_scripts_end_with_distinct_identifiers(vectors, tmp_path):
    vectors = np.concatenate([vectors, vectors[:20]])
    np.save(tmp_path / "e.npy", vectors)
    cuda = {"count": 0, "memory_gb": 0}
    train_rqvae.main(
        tmp_path / "e.npy",
        tmp_path / "m.safetensors",
        tmp_path / "h.parquet",
        SETTINGS,
        {},
        cuda,
        1,
    )
    assert len(pq.read_table(tmp_path / "h.parquet")) == TRAINING["epochs"]
    # It goes when the outputs are recorded; a job that was killed before begins at its end.
    assert unfinished.beside(tmp_path / "m.safetensors", "checkpoint").exists()
    out = {name: tmp_path / name for name in ("ids", "index", "quality", "latents")}
    settings = {"epsilon": 0.003, "iterations": 50, "rounds": 20}
    assign_semantic_ids.main(
        tmp_path / "e.npy", tmp_path / "m.safetensors", **out, settings=settings, threads=1
    )
    ids = np.load(out["ids"])
    assert ids.dtype == np.int16
    assert len(np.unique(ids, axis=0)) == len(vectors) == len(np.load(out["latents"]))
    steps = artefacts.read_json(out["quality"])["steps"]
    assert steps["quantised"]["colliding_items"] >= 40
    assert steps["final"]["colliding_items"] == 0
    assert 0 < steps["quantised"]["relative_error"] < 0.7
    assert artefacts.read_json(out["index"])["3"][0] == f"<a_{ids[3, 0]}>"


def test_gradients_of_several_threads_are_the_same_each_time(four_threads):
    """The largest batch of the defaults: sums by index are then shared among threads."""
    torch.manual_seed(0)
    model, x = RQVAE(24, [16], 32, 1, 4), torch.randn(1024, 24)
    found = []
    for _ in range(30):
        model.zero_grad()
        sum(model.losses(x, 0.25, "mean")).backward()
        found.append(model.codebooks.grad.clone())
    assert all(torch.equal(one, found[0]) for one in found)


def test_codewords_are_as_alike_as_one_over_their_squared_distance():
    model = small_model()
    near, book = rqvae.nearness(model), model.codebooks.detach()
    levels, codes = book.shape[:2]
    for level in range(levels):
        for i, j in itertools.permutations(range(codes), 2):
            distance = (book[level, i] - book[level, j]).norm().item()
            assert near[level, i, j].item() == pytest.approx(distance**-2, rel=1e-4)
    assert (near[levels:] == 1).all() and (near[:, codes:] == 1).all()
    assert (near == near.transpose(1, 2)).all()
