"""The real workflow, scripts and all, on a tenth of the demonstration's users."""

import os
import shutil
import sys
from pathlib import Path

import yaml
from conftest import ROOT
from forked_snakemake import snakemake

VARIANTS = ["popularity", "lcrec", "tiger", "distill", "dtr", "dwr"]
OPTIONS = ["--cores", "2", "--configfile", "tiny.yaml"]
COMMAND = [sys.executable, "-m", "snakemake", *OPTIONS]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def copied(folder: Path) -> Path:
    """Copy the workflow into a folder, with settings for the smallest of models."""
    for name in ("Snakefile", "rules", "config", "profiles", "envs", "workflow_scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "docs/captions", folder / "docs/captions")
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["demo"]
    row["variants"] = VARIANTS
    row["settings"] = {
        "sources": {"simulated": {"users": 200, "items": 80}},
        "text": {"dimensions": 16},
        "rqvae": {"network": {"hidden": [32]}, "training": {"epochs": 10}},
        "teacher": {
            "network": {"hidden": 32, "layers": 1, "intermediate": 32},
            "training": {"epochs": 2, "dev_users": 50},
        },
        "networks": {"t5": {"d_model": 32, "d_ff": 32}},
        "training": {"epochs": 2, "warm_epochs": 1, "dev_users": 50},
        "evaluation": {"resamples": 200},
        "analysis": {"beams": [10, 20], "neighbours": 3, "cases": 2},
    }
    sweeps = {
        "mixture": {
            "row": "distill",
            "setting": "losses.distilled.mixture",
            "values": [0.0, 1.0],
        },
        "width": {"row": "tiger", "setting": "decoding.beams", "values": [10, 20]},
    }
    rate = {"training.learning_rate": {"low": 1.0e-3, "high": 1.0e-2, "log": True}}
    studies = {"tiger": {"trials": 2, "settings": rate}}
    overlay = {"datasets": {"demo": row}, "sweeps": sweeps, "studies": studies}
    overlay |= {"variants": {"ease": {"folds": 2}}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(overlay))
    return folder


def run(folder: Path, *arguments: str) -> str:
    """Run Snakemake to its end; what it printed, both streams together."""
    options = any(one.startswith("-") for one in arguments)
    given = arguments if options else ("--", *arguments)
    status, said = snakemake(folder, *OPTIONS, *given)
    assert status == 0, said
    return said
