# Training of the lightweight recommender (Section 3), one model a row and seed.


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
        settings=generator_settings,
        decoding=training_decoding,
        batch_size=decoded_at_once,
        cuda=cuda("train_generator"),
    script:
        "../workflow_scripts/recommender/train_generator.py"
