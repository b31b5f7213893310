# Raw files -> interactions and items -> examples (Section 4.1).


rule download_reviews:
    output:
        raw="resources/downloads/{file}",
        record="resources/downloads/{file}.record.json",
    log:
        "logs/download_reviews/{file}.log",
    wildcard_constraints:
        file=any_of(re.escape(name) for name in downloads()),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("download_reviews"),
        source=lambda wildcards: downloads()[wildcards.file],
    script:
        "../workflow_scripts/data/download_reviews.py"


rule simulate_reviews:
    output:
        reviews="resources/simulated/{dataset}/reviews.json.gz",
        metadata="resources/simulated/{dataset}/metadata.json.gz",
    log:
        "logs/{dataset}/simulate_reviews.log",
    wildcard_constraints:
        dataset=of_source("simulated"),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("simulate_reviews"),
        settings=section("simulation"),
    script:
        "../workflow_scripts/data/simulate_reviews.py"


rule ingest_reviews:
    input:
        reviews=raw_file("reviews"),
        metadata=raw_file("metadata"),
    output:
        interactions="results/{dataset}/data/interactions.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        users="results/{dataset}/data/users.parquet",
        report="results/{dataset}/data/ingest_report.json",
        statistics="results/{dataset}/data/statistics.json",
    log:
        "logs/{dataset}/ingest_reviews.log",
    wildcard_constraints:
        dataset=of_source("amazon2018", "simulated"),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("ingest_reviews"),
        settings=section("ingest", without=("history",)),
        sizes=raw_sizes("reviews", "metadata"),
    script:
        "../workflow_scripts/data/ingest_reviews.py"


rule ingest_lcrec:
    input:
        unpack(published_text),
        inter=raw_file("inter"),
    output:
        interactions="results/{dataset}/data/interactions.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        users="results/{dataset}/data/users.parquet",
        report="results/{dataset}/data/ingest_report.json",
        statistics="results/{dataset}/data/statistics.json",
    log:
        "logs/{dataset}/ingest_lcrec.log",
    wildcard_constraints:
        dataset=of_source("lcrec"),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("ingest_lcrec"),
        sizes=lcrec_sizes,
    script:
        "../workflow_scripts/data/ingest_lcrec.py"


rule split_sequences:
    input:
        interactions="results/{dataset}/data/interactions.parquet",
    output:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    log:
        "logs/{dataset}/split_sequences.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("split_sequences"),
        settings=section("ingest"),
    script:
        "../workflow_scripts/data/split_sequences.py"
