# Training of the lightweight recommender (Section 3), one model a row and seed.


def learned_from(wildcards):
    """What a row's training reads beyond the sequences: only the artefacts that the row names."""
    row, results = VARIANTS[wildcards.generator], f"results/{wildcards.dataset}"
    inputs = {}
    if row["target"] == "teacher":
        inputs["teacher"] = f"{results}/teacher/probabilities.npy"
    if row["prior"]:
        inputs["prior"] = f"{results}/priors/{row['prior']}.npy"
    if row["start_from"]:
        inputs["start"] = (
            f"{results}/generators/{row['start_from']}/seed_{wildcards.seed}/model.safetensors"
        )
    return inputs


def generator_settings(wildcards):
    """The section `generator` with the row's own values, and the row's objective."""
    row = VARIANTS[wildcards.generator]
    objective = {name: row[name] for name in ("target", "generation", "rank")}
    return SETTINGS[wildcards.dataset]["generator"] | row["generator"] | objective


rule train_generator:
    input:
        unpack(learned_from),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        model="results/{dataset}/generators/{generator}/seed_{seed}/model.safetensors",
        config="results/{dataset}/generators/{generator}/seed_{seed}/config.json",
        history="results/{dataset}/generators/{generator}/seed_{seed}/history.parquet",
    log:
        "logs/{dataset}/train_generator/{generator}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/train_generator/{generator}_seed_{seed}.tsv"
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("train_generator")
    resources:
        gpu=gpus("train_generator"),
    params:
        code=code("train_generator"),
        generator=generator_settings,
        decoding=section("decoding"),
        cuda=cuda("train_generator"),
    script:
        "../workflow_scripts/train_generator.py"
