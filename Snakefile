import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.0")
# Jobs import the library that stands beside this file: in any environment, on any node.
LIBRARY = str(Path(workflow.basedir) / "workflow_scripts")
sys.path.insert(0, LIBRARY)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [LIBRARY, os.environ.get("PYTHONPATH")])))

from lohrec.benchmarks import demands
from lohrec.common import disk, tracking, unfinished
from lohrec.configuration import (
    agreement,
    cluster,
    code_hash,
    kinds,
    machine,
    registry,
    rows,
    searches,
    settings,
    targets,
)


configfile: f"{workflow.basedir}/config/config.yaml"
configfile: f"{workflow.basedir}/config/variants.yaml"
configfile: f"{workflow.basedir}/config/searches.yaml"


report: "docs/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/cluster.smk"


localrules:
    all,
    check_language_model,
    download_reviews,
    fetch_text_model,


rule all:
    input:
        "results/demo/comparison.md",


include: "rules/data.smk"
include: "rules/identifiers.smk"
include: "rules/teacher.smk"
include: "rules/lessons.smk"
include: "rules/recommender.smk"
include: "rules/search.smk"
include: "rules/evaluation.smk"
include: "rules/analysis.smk"
include: "rules/report.smk"
include: "rules/serving.smk"
include: "rules/benchmarks.smk"


onstart:
    require_gpus()
    require_room()
    require_cluster()


onsuccess:
    remove_unfinished()


onerror:
    remove_unfinished()
