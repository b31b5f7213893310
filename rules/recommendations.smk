# Every recommender writes the same table, results/{dataset}/{variant}/seed_{seed}/recommendations.


rule recommend_generator:
    input:
        model="results/{dataset}/generators/{variant}/seed_{seed}/model.safetensors",
        config="results/{dataset}/generators/{variant}/seed_{seed}/config.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_generator/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/recommend_generator/{variant}_seed_{seed}.tsv"
    wildcard_constraints:
        variant=recommended_by("generative"),
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend_generator")
    resources:
        gpu=gpus("recommend_generator"),
    params:
        code=code("recommend_generator", modules_of("variant")),
        decoding=section("decoding", without=("rerank",)),
        cuda=cuda("recommend_generator"),
    script:
        "../workflow_scripts/recommender/recommend_generator.py"


def roles(wildcards):
    """Which rows a cascade is made of; its inputs are compared as paths without names."""
    return {role: VARIANTS[wildcards.variant][role] for role in ("retriever", "ranker")}


def model_of(role):
    """The trained generator of the same seed that a cascade's row names for `role`."""
    return lambda wildcards: generator_model(
        wildcards.dataset, VARIANTS[wildcards.variant][role], wildcards.seed
    )


rule recommend_cascade:
    input:
        retriever=model_of("retriever"),
        ranker=model_of("ranker"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_cascade/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/recommend_cascade/{variant}_seed_{seed}.tsv"
    wildcard_constraints:
        variant=recommended_by("cascade"),
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend_cascade")
    resources:
        gpu=gpus("recommend_cascade"),
    params:
        code=code("recommend_cascade", modules_of("variant")),
        roles=roles,
        decoding=section("decoding"),
        cuda=cuda("recommend_cascade"),
    script:
        "../workflow_scripts/recommender/recommend_cascade.py"


def of_recommender(wildcards):
    """The settings of a row's own recommender."""
    row = VARIANTS[wildcards.variant]
    return rows.of_row(SETTINGS[wildcards.dataset], row)["recommenders"][row["recommender"]]


def teacher_decoding(wildcards):
    """The section `decoding` in batches that a teacher's beams fit into."""
    found = section("decoding", without=("rerank",))(wildcards)
    return found | {"batch_size": SETTINGS[wildcards.dataset]["candidates"]["batch_size"]}


rule recommend_teacher:
    input:
        model="results/{dataset}/teacher/model/model.safetensors",
        config="results/{dataset}/teacher/model/config.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_teacher/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/recommend_teacher/{variant}_seed_{seed}.tsv"
    wildcard_constraints:
        variant=recommended_by("teacher"),
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend_teacher")
    resources:
        gpu=gpus("recommend_teacher"),
    params:
        code=code("recommend_teacher", modules_of("variant")),
        settings=of_recommender,
        decoding=teacher_decoding,
        cuda=cuda("recommend_teacher"),
    script:
        "../workflow_scripts/recommender/recommend_teacher.py"


rule recommend_popularity:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_popularity/{variant}_seed_{seed}.log",
    wildcard_constraints:
        variant=recommended_by("popularity"),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("recommend_popularity", modules_of("variant")),
        decoding=section("decoding", without=("rerank", "beams", "batch_size")),
    script:
        "../workflow_scripts/recommender/recommend_popularity.py"
