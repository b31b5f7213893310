# Ordered candidates of every train example: from the teacher (Eq. 15), or from Appendix B.


rule correct_candidates:
    input:
        beams="results/{dataset}/teacher/beams.npy",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        prior="results/{dataset}/priors/llm.npy",
        report="results/{dataset}/priors/llm.json",
    log:
        "logs/{dataset}/correct_candidates.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("correct_candidates"),
        settings=kept,
    script:
        "../workflow_scripts/recommender/correct_candidates.py"


rule order_by_distance:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        prior="results/{dataset}/priors/distance.npy",
        report="results/{dataset}/priors/distance.json",
    log:
        "logs/{dataset}/order_by_distance.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("order_by_distance"),
        settings=kept,
    script:
        "../workflow_scripts/recommender/order_by_distance.py"


rule order_by_cooccurrence:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        prior="results/{dataset}/priors/cooccurrence.npy",
        report="results/{dataset}/priors/cooccurrence.json",
    log:
        "logs/{dataset}/order_by_cooccurrence.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("order_by_cooccurrence"),
        settings=kept,
    script:
        "../workflow_scripts/recommender/order_by_cooccurrence.py"
