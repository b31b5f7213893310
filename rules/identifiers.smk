# Items -> vectors -> semantic IDs (Sections 2.2, 4.2); or semantic IDs that somebody published.
# All that generates waits for them, so their jobs go first.


def text_settings(wildcards):
    """What the section `text` says of the row's own method."""
    values = section("text")(wildcards)
    of_lsa = ("dimensions", "max_features", "seed")
    of_llama = ("model", "revision", "dtype")
    of_models = ("max_tokens", "batch_tokens")
    idle = {"lsa": of_llama + of_models, "minilm": of_lsa + of_llama, "llama": of_lsa}
    return less(values, idle.get(values["method"], ()))


def examples_of_neighbours(wildcards):
    """Sequences and examples, where items without text get a vector from their neighbours."""
    if SETTINGS[wildcards.dataset]["text"]["without"] == "mean":
        return {}
    folder = f"results/{wildcards.dataset}/data"
    return {"sequences": f"{folder}/sequences.npy", "examples": f"{folder}/examples.parquet"}


def item_vectors(wildcards):
    """The vectors that a dataset's identifiers are made from."""
    made = {"interactions": "data/interaction_vectors.npy"}
    method = SETTINGS[wildcards.dataset]["text"]["method"]
    return f"results/{wildcards.dataset}/{made.get(method, 'text/embeddings.npy')}"


def encoder_of(dataset):
    """What turns texts into a dataset's identifiers; nothing where they were made elsewhere."""
    if brings_identifiers(dataset) or SETTINGS[dataset]["text"]["method"] == "interactions":
        return []
    return [f"results/{dataset}/ids/encoder/{part}.safetensors" for part in ("text", "rqvae")]


def fetched_text_model(wildcards):
    """What tells that the language model of the texts is at hand."""
    if SETTINGS[wildcards.dataset]["text"]["method"] != "llama":
        return []
    return f"results/{wildcards.dataset}/text/language_model.json"


# Where the workflow was started: other machines of a cluster may have no way to the hub, and a GPU
# would wait for the download.
rule fetch_text_model:
    input:
        model_folder("text"),
    output:
        report="results/{dataset}/text/language_model.json",
    log:
        "logs/{dataset}/fetch_text_model.log",
    priority: 2
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("fetch_text_model"),
        text=lambda wildcards: {
            name: SETTINGS[wildcards.dataset]["text"][name] for name in ("model", "revision")
        },
        sizes=model_sizes("text"),
    script:
        "../workflow_scripts/identifiers/fetch_text_model.py"


rule embed_items:
    input:
        model_folder("text"),
        fetched_text_model,
        unpack(examples_of_neighbours),
        catalogue="results/{dataset}/data/items.parquet",
    output:
        embeddings="results/{dataset}/text/embeddings.npy",
        encoder="results/{dataset}/ids/encoder/text.safetensors",
    log:
        "logs/{dataset}/embed_items.log",
    benchmark:
        "benchmarks/{dataset}/embed_items.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("embed_items")
    resources:
        gpu=gpus("embed_items"),
        mem_mb=memory("embed_items"),
        runtime=runtime("embed_items"),
    params:
        code=code("embed_items"),
        text=text_settings,
        sizes=model_sizes("text"),
        cuda=cuda("embed_items"),
    script:
        "../workflow_scripts/identifiers/embed_items.py"


rule train_rqvae:
    input:
        embeddings=item_vectors,
    output:
        model="results/{dataset}/ids/encoder/rqvae.safetensors",
        history="results/{dataset}/ids/rqvae_history.parquet",
    log:
        "logs/{dataset}/train_rqvae.log",
    benchmark:
        "benchmarks/{dataset}/train_rqvae.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("train_rqvae")
    resources:
        gpu=gpus("train_rqvae"),
        mem_mb=memory("train_rqvae"),
        runtime=runtime("train_rqvae"),
    params:
        code=code("train_rqvae"),
        settings=section("rqvae"),
        cuda=cuda("train_rqvae"),
    script:
        "../workflow_scripts/identifiers/train_rqvae.py"


rule assign_semantic_ids:
    input:
        embeddings=item_vectors,
        model="results/{dataset}/ids/encoder/rqvae.safetensors",
    output:
        ids="results/{dataset}/ids/semantic_ids.npy",
        index="results/{dataset}/ids/index.json",
        quality="results/{dataset}/ids/quality.json",
        latents="results/{dataset}/ids/latents.npy",
    log:
        "logs/{dataset}/assign_semantic_ids.log",
    benchmark:
        "benchmarks/{dataset}/assign_semantic_ids.tsv"
    wildcard_constraints:
        dataset=any_of(name for name in DATASETS if not brings_identifiers(name)),
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("assign_semantic_ids"),
    params:
        code=code("assign_semantic_ids"),
        settings=section("collisions"),
    script:
        "../workflow_scripts/identifiers/assign_semantic_ids.py"


rule import_semantic_ids:
    input:
        published=raw_file("index"),
        catalogue="results/{dataset}/data/items.parquet",
    output:
        ids="results/{dataset}/ids/semantic_ids.npy",
        index="results/{dataset}/ids/index.json",
        quality="results/{dataset}/ids/quality.json",
    log:
        "logs/{dataset}/import_semantic_ids.log",
    benchmark:
        "benchmarks/{dataset}/import_semantic_ids.tsv"
    wildcard_constraints:
        dataset=any_of(filter(brings_identifiers, DATASETS)),
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("import_semantic_ids"),
        runtime=runtime("import_semantic_ids"),
    params:
        code=code("import_semantic_ids", source_module),
        source=lambda wildcards: DATASETS[wildcards.dataset]["source"],
        contents=raw_contents(lambda wildcards: {"index": raw_file("index")(wildcards)}),
    script:
        "../workflow_scripts/identifiers/import_semantic_ids.py"


rule embed_interactions:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        vectors="results/{dataset}/data/interaction_vectors.npy",
    log:
        "logs/{dataset}/embed_interactions.log",
    benchmark:
        "benchmarks/{dataset}/embed_interactions.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("embed_interactions"),
        runtime=runtime("embed_interactions"),
    params:
        code=code("embed_interactions"),
    script:
        "../workflow_scripts/identifiers/embed_interactions.py"


# Identifiers of the baseline P5-CID.
rule cluster_items:
    input:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
    output:
        ids="results/{dataset}/ids/collaborative_ids.npy",
        quality="results/{dataset}/ids/collaborative_quality.json",
    log:
        "logs/{dataset}/cluster_items.log",
    benchmark:
        "benchmarks/{dataset}/cluster_items.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("cluster_items"),
        runtime=runtime("cluster_items"),
    params:
        code=code("cluster_items"),
        settings=section("collaborative"),
    script:
        "../workflow_scripts/identifiers/cluster_items.py"
