"""Devices and precision."""

import platform
import subprocess
import sys

import pytest
import torch
from conftest import ROOT

from lohrec import devices

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
        "import resource, sys, torch; from lohrec import devices\n"
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
