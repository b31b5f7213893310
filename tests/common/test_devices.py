"""Devices and precision."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT

from lohrec.common import devices

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)],
)
def test_auto_takes_bf16_where_the_cpu_multiplies_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with devices.autocast(CPU, "auto"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) is expected


@pytest.mark.parametrize("bf16", [False, True])
def test_a_plain_choice_is_kept(bf16):
    with devices.autocast(CPU, bf16):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) is bf16


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_serves_the_next_tensors():
    script = (
        "import resource, sys, torch; from lohrec.common import devices\n"
        "if sys.argv[1] == 'keep': devices.keep_memory()\n"
        "run = lambda: [torch.ones(2**22).sum() for _ in range(20)]; run()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "before = faults(); run(); print(faults() - before)"
    )
    faults = [
        int(
            subprocess.run(
                [sys.executable, "-c", script, how],
                env={"PYTHONPATH": str(ROOT / "workflow_scripts")},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for how in ("keep", "default")
    ]
    assert faults[0] < 0.5 * faults[1]


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A machine with two GPUs, as torch describes them."""
    gpus = [SimpleNamespace(name=f"GPU{i}", total_memory=80e9, uuid=f"id{i}") for i in range(2)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_device_properties", gpus.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(devices, "_taken", [])
    return gpus


def test_jobs_side_by_side_get_gpus_of_their_own(two_gpus, capsys):
    one = {"count": 1, "memory_gb": 24}
    first, second, third = (devices.acquire(one, torch.get_num_threads()) for _ in range(3))
    assert [first.index, second.index, third.index] == [0, 1, 0]
    assert "GPU 0 is shared" in capsys.readouterr().out
    devices._taken.pop(0).close()  # as when the first job ends
    assert devices.acquire(one, torch.get_num_threads()).index == 0


def test_a_gpu_that_is_too_small_is_passed_over_or_named(two_gpus):
    two_gpus[0].total_memory = 15.8e9  # a T4
    one = {"count": 1, "memory_gb": 24}
    assert devices.acquire(one, torch.get_num_threads()).index == 1
    assert devices.acquire(one | {"memory_gb": 16}, torch.get_num_threads()).index == 0
    with pytest.raises(RuntimeError, match=r"2 GPU\(s\) of 24 GB, .* GPU 0 GPU0, 16 GB; GPU 1"):
        devices.acquire(one | {"count": 2}, torch.get_num_threads())
