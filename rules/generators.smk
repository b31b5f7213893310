# Training of the lightweight recommender (Section 3), one model a row and seed.


def learned_from(wildcards):
    """What a row's training reads beyond the sequences: only the artefacts that the row names."""
    row, results = VARIANTS[wildcards.generator], f"results/{wildcards.dataset}"
    inputs = {}
    if "probabilities" in rows.loss_reads(row["loss"]):
        inputs["teacher"] = f"{results}/teacher/probabilities.npy"
    if row["learns"] != "next_item":
        inputs["beams"] = f"{results}/teacher/beams.npy"
    if row["prior"]:
        inputs["prior"] = f"{results}/priors/{row['prior']}.npy"
    if row["start_from"]:
        inputs["start"] = generator_model(wildcards.dataset, row["start_from"], wildcards.seed)
    return inputs


def fitting(group):
    """A group of the settings that a row's training depends on: network, training or objective.

    What another row's objective reads is no part of it, so that only rows that use a value run
    again when it changes.
    """
    return lambda wildcards: rows.fitting(
        SETTINGS[wildcards.dataset], VARIANTS[wildcards.generator]
    )[group]


def training_decoding(wildcards):
    """What training reads of the section `decoding`: a ranker is tried on a retriever's lists."""
    orders_only = not VARIANTS[wildcards.generator]["generation"]
    without = ("top", "batch_size") if orders_only else ("top", "batch_size", "rerank")
    return section("decoding", without)(wildcards)


def decoded_at_once(wildcards, resources):
    """Users of the dev set that are decoded at once; see `cuda` for the name `resources`."""
    return SETTINGS[wildcards.dataset]["decoding"]["batch_size"]


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
        code=code("train_generator", modules_of("generator")),
        network=fitting("network"),
        training=fitting("training"),
        objective=fitting("objective"),
        decoding=training_decoding,
        batch_size=decoded_at_once,
        cuda=cuda("train_generator"),
    script:
        "../workflow_scripts/recommender/train_generator.py"
