# Metrics a user, a variant, and all variants of a dataset side by side (Section 4.3).


rule embed_codewords:
    input:
        model=recommending_model,
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        vectors="results/{dataset}/{variant}/seed_{seed}/item_vectors.npy",
    log:
        "logs/{dataset}/embed_codewords/{variant}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("embed_codewords"),
        recommender=lambda wildcards: VARIANTS[wildcards.variant]["recommender"],
    script:
        "../workflow_scripts/evaluation/embed_codewords.py"


rule evaluate:
    input:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        vectors=diversity_vectors,
    output:
        per_user="results/{dataset}/{variant}/seed_{seed}/per_user.parquet",
    log:
        "logs/{dataset}/evaluate/{variant}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("evaluate"),
        settings=section("evaluation", without=("diversity", "resamples")),
    script:
        "../workflow_scripts/evaluation/evaluate.py"


rule summarise:
    input:
        per_user=lambda wildcards: per_user(wildcards.dataset, wildcards.variant),
        statistics="results/{dataset}/data/statistics.json",
    output:
        metrics="results/{dataset}/{variant}/metrics.json",
    log:
        "logs/{dataset}/summarise/{variant}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("summarise"),
        seeds=lambda wildcards: seeds(wildcards.dataset, wildcards.variant),
        config=made_of,
    script:
        "../workflow_scripts/evaluation/summarise.py"


rule compare:
    input:
        unpack(compared),
    output:
        json="results/{dataset}/comparison.json",
        markdown="results/{dataset}/comparison.md",
        figure=report(
            "results/{dataset}/comparison.svg",
            category="Comparison",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/{dataset}/compare.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("compare"),
        variants=lambda wildcards: list(compared(wildcards)),
        reference=reference,
        settings=section("evaluation"),
    script:
        "../workflow_scripts/evaluation/compare.py"


rule compare_with_generate:
    input:
        model="results/{dataset}/generators/{generator}/seed_{seed}/model.safetensors",
        config="results/{dataset}/generators/{generator}/seed_{seed}/config.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        comparison="results/{dataset}/generators/{generator}/seed_{seed}/generate.json",
    log:
        "logs/{dataset}/compare_with_generate/{generator}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("compare_with_generate"),
        decoding=section("decoding"),
    script:
        "../workflow_scripts/evaluation/compare_with_generate.py"
