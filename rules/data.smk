# Raw files -> interactions and items -> examples (Section 4.1).


def raw_file(kind):
    """The path of a dataset's raw file: in raw_dir if it is there, else where a rule puts it."""

    def path(wildcards):
        row = DATASETS[wildcards.dataset]
        if row["source"] == "simulated":
            return f"resources/simulated/{wildcards.dataset}/{kind}.json.gz"
        source = config["sources"][row["source"]][kind]
        name = source["file"].format(**row)
        if found := settings.find_raw(config["raw_dir"], name):
            return found
        if "url" in source:
            return f"resources/downloads/{name}"
        raise WorkflowError(
            f"{wildcards.dataset} needs {name}, which is neither in {config['raw_dir']} nor in a "
            "folder below it. Put it there, or name its folder: --config raw_dir=FOLDER."
        )

    return path


def raw_sizes(*kinds):
    """Bytes of a dataset's own raw files: a replacement that is older than results shows here."""

    def sizes(wildcards):
        paths = [Path(raw_file(kind)(wildcards)) for kind in kinds]
        return {
            path.name: path.stat().st_size
            for path in paths
            if not path.is_relative_to("resources/downloads")
            and not path.is_relative_to("resources/simulated")
        }

    return sizes


def downloads():
    """{file name: {"url": address, "sha256": expected digest or None}} of every dataset."""
    return {
        name: {"url": source["url"].format(file=name), "sha256": row["sha256"].get(name)}
        for row in DATASETS.values()
        for source in config["sources"].get(row["source"], {}).values()
        if "url" in source
        for name in [source["file"].format(**row)]
    }


rule download_reviews:
    output:
        file="resources/downloads/{file}",
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
        "../workflow_scripts/download_reviews.py"


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
        simulation=section("simulation"),
    script:
        "../workflow_scripts/simulate_reviews.py"


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
    threads: threads_of("ingest_reviews")
    params:
        code=code("ingest_reviews"),
        ingest=section("ingest"),
        sizes=raw_sizes("reviews", "metadata"),
    script:
        "../workflow_scripts/ingest_reviews.py"


rule ingest_lcrec:
    input:
        inter=raw_file("interactions"),
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
        sizes=raw_sizes("interactions"),
    script:
        "../workflow_scripts/ingest_lcrec.py"


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
        ingest=section("ingest"),
    script:
        "../workflow_scripts/split_sequences.py"
