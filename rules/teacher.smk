# The large recommender: its training, its unconstrained beams and its probabilities (3.2, 3.3).
# Distillation and ranking wait for it, so its jobs go first.


rule train_teacher:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        model="results/{dataset}/teacher/model/model.safetensors",
        config="results/{dataset}/teacher/model/config.json",
        history="results/{dataset}/teacher/history.parquet",
    log:
        "logs/{dataset}/train_teacher.log",
    benchmark:
        "benchmarks/{dataset}/train_teacher.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("train_teacher")
    resources:
        gpu=gpus("train_teacher"),
    params:
        code=code("train_teacher"),
        teacher=section("teacher"),
        cuda=cuda("train_teacher"),
    script:
        "../workflow_scripts/train_teacher.py"


rule generate_candidates:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
        model="results/{dataset}/teacher/model/model.safetensors",
        config="results/{dataset}/teacher/model/config.json",
    output:
        beams="results/{dataset}/teacher/beams.npy",
        report="results/{dataset}/teacher/candidates.json",
    log:
        "logs/{dataset}/generate_candidates.log",
    benchmark:
        "benchmarks/{dataset}/generate_candidates.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("generate_candidates")
    resources:
        gpu=gpus("generate_candidates"),
    params:
        code=code("generate_candidates"),
        candidates=section("candidates"),
        cuda=cuda("generate_candidates"),
    script:
        "../workflow_scripts/generate_candidates.py"


rule score_codewords:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
        model="results/{dataset}/teacher/model/model.safetensors",
        config="results/{dataset}/teacher/model/config.json",
    output:
        probabilities="results/{dataset}/teacher/probabilities.npy",
    log:
        "logs/{dataset}/score_codewords.log",
    benchmark:
        "benchmarks/{dataset}/score_codewords.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("score_codewords")
    resources:
        gpu=gpus("score_codewords"),
    params:
        code=code("score_codewords"),
        probabilities=section("probabilities"),
        cuda=cuda("score_codewords"),
    script:
        "../workflow_scripts/score_codewords.py"
