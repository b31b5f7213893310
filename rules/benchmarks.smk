# How fast each step is, against its rival and against the arithmetic. Public data is used where
# raw_dir holds it, simulated reviews otherwise.


def section_of(preset, name):
    """A section as a preset has it."""
    return settings.preset(preset, config["presets"], "benchmarks")[name]


def every_loss(wildcards):
    """The losses, which scripts find by name."""
    return [("loss", name) for name in registry.names("loss")]


def measured_on(dataset, kind, path):
    """An artefact of `dataset`, or of the simulation where the dataset's raw file is not there."""

    def artefact(wildcards):
        found = found_raw(dataset, kind)
        return f"results/{dataset if found else 'demo'}/{path}"

    return artefact


rule benchmark_decoding:
    input:
        sequences=measured_on("instruments_lcrec", "inter", "data/sequences.npy"),
        examples=measured_on("instruments_lcrec", "inter", "data/examples.parquet"),
        ids=measured_on("instruments_lcrec", "inter", "ids/semantic_ids.npy"),
    output:
        benchmark="results/benchmarks/decoding.json",
    log:
        "logs/benchmarks/decoding.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 2  # one of them idle, so that nothing else runs beside
    resources:
        benchmark=1,
    params:
        code=code("benchmark_decoding", every_loss),
        network=section_of("paper", "networks")["t5"],
        compact=section_of("laptop", "networks")["compact"],
        settings=config["benchmarks"]["decoding"],
    script:
        "../workflow_scripts/benchmarks/benchmark_decoding.py"


rule benchmark_training:
    input:
        sequences=measured_on("instruments_lcrec", "inter", "data/sequences.npy"),
        examples=measured_on("instruments_lcrec", "inter", "data/examples.parquet"),
        ids=measured_on("instruments_lcrec", "inter", "ids/semantic_ids.npy"),
    output:
        benchmark="results/benchmarks/training.json",
    log:
        "logs/benchmarks/training.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 2  # one of them idle, so that nothing else runs beside
    resources:
        benchmark=1,
    params:
        code=code("benchmark_training", every_loss),
        network=section_of("paper", "networks")["t5"],
        losses=section_of("paper", "losses"),
        settings=config["benchmarks"]["training"],
    script:
        "../workflow_scripts/benchmarks/benchmark_training.py"


rule benchmark_quantizer:
    input:
        embeddings=measured_on("games_laptop", "reviews", "text/embeddings.npy"),
    output:
        benchmark="results/benchmarks/quantizer.json",
    log:
        "logs/benchmarks/quantizer.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 2
    resources:
        benchmark=1,
    params:
        code=code("benchmark_quantizer"),
        laptop=section_of("laptop", "rqvae"),
        paper=section_of("paper", "rqvae"),
        resolving=section_of("laptop", "collisions"),
        settings=config["benchmarks"]["quantizer"],
    script:
        "../workflow_scripts/benchmarks/benchmark_quantizer.py"


rule benchmark_ingest:
    output:
        benchmark="results/benchmarks/ingest.json",
    log:
        "logs/benchmarks/ingest.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 2  # one of them idle, so that nothing else runs beside
    resources:
        benchmark=1,
    params:
        code=code("benchmark_ingest"),
        settings=config["benchmarks"]["ingest"],
    script:
        "../workflow_scripts/benchmarks/benchmark_ingest.py"


rule benchmark_scale:
    output:
        benchmark="results/benchmarks/scale.json",
    log:
        "logs/benchmarks/scale.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 2  # one of them idle, so that nothing else runs beside
    resources:
        benchmark=1,
    params:
        code=code("benchmark_scale"),
        network=section_of("paper", "networks")["t5"],
        settings=config["benchmarks"]["scale"],
    script:
        "../workflow_scripts/benchmarks/benchmark_scale.py"


# On a GPU alone, so not among the inputs of the table.
rule benchmark_cuda:
    output:
        benchmark="results/benchmarks/cuda.json",
    log:
        "logs/benchmarks/cuda.log",
    conda:
        "../envs/lohrec.yaml"
    threads: 4
    resources:
        gpu=1,
        benchmark=1,
    params:
        code=code("benchmark_cuda", every_loss),
    script:
        "../workflow_scripts/benchmarks/benchmark_cuda.py"


rule tabulate_benchmarks:
    input:
        benchmarks=expand(
            "results/benchmarks/{what}.json",
            what=["decoding", "training", "quantizer", "ingest", "scale"],
        ),
    output:
        table="results/benchmarks/table.md",
    log:
        "logs/benchmarks/table.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("tabulate_benchmarks"),
    script:
        "../workflow_scripts/benchmarks/tabulate_benchmarks.py"


rule tabulate_teacher_sizes:
    output:
        table="results/benchmarks/teacher_sizes.md",
    log:
        "logs/benchmarks/teacher_sizes.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("tabulate_teacher_sizes"),
        settings={name: section_of("paper", name) for name in ("teacher", "adaptation", "tasks")},
    script:
        "../workflow_scripts/benchmarks/tabulate_teacher_sizes.py"
