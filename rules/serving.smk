# What comes after training: new items in a recommender, and its card (docs/serving.md).


def whole_dataset(name):
    """A file of the dataset that another one is, less its newest items."""

    def path(wildcards):
        row = DATASETS[wildcards.dataset]
        if row["source"] != "older_items":
            raise WorkflowError(
                f"{wildcards.dataset} holds no items out. Add a row of datasets with "
                f"source: older_items, category: {wildcards.dataset}, and ask for that."
            )
        return f"results/{row['category']}/data/{name}"

    return path


def can_grow(variant):
    """Whether new items can be added to a row's recommender, and to those that it is made of."""
    row = VARIANTS[variant]
    parts = [row[role] for role in ("retriever", "ranker") if role in row]
    return (
        rows.has_trait(row, "takes_items")
        and row.get("identifiers", rows.SEMANTIC) == rows.SEMANTIC
        and all(map(can_grow, [*parts, *row.get("members", [])]))
    )


def takes_items(wildcards):
    """(variant, seed) of the compared recommenders that new items can be added to."""
    dataset = wildcards.dataset
    compared = DATASETS[dataset].get("variants", COMPARED)
    names = [name for name in compared if name in VARIANTS and can_grow(name)]
    if not names:
        raise WorkflowError(
            f"New items can be added to none of {', '.join(compared)}, which {dataset} compares; "
            f"add a generative row, such as tiger, to datasets.{dataset}.variants."
        )
    return [(name, seed) for name in names for seed in seeds(dataset, name)]


def memory_of_encoder(wildcards, input, attempt):
    """Memory in MB where the texts of all items are embedded once more, without a GPU."""
    network = demands.network("embed_items", SETTINGS[wildcards.dataset], 0, {})
    files = [*map(str, input), *model_folder("text")(wildcards)]
    return demands.megabytes(files, network, 0, attempt)


def runtime_of_encoder(wildcards, threads, attempt):
    """Minutes of the same."""
    found = facts(f"results/{wildcards.dataset}/data/statistics.json")
    settings = SETTINGS[wildcards.dataset]
    operations = demands.operations("embed_items", settings, {}, found, {})
    return demands.minutes(operations, threads, 0, attempt)


rule measure_new_items:
    input:
        model="results/{dataset}/{variant}/seed_{seed}/model/recommender.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        all_interactions=whole_dataset("interactions.parquet"),
        all_items=whole_dataset("items.parquet"),
    output:
        measured="results/{dataset}/{variant}/seed_{seed}/new_items.json",
    log:
        "logs/{dataset}/measure_new_items/{variant}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("embed_items")
    resources:
        mem_mb=memory_of_encoder,
        runtime=runtime_of_encoder,
    params:
        code=code("measure_new_items", modules_of("variant")),
        share=lambda wildcards: section("sources")(wildcards)["older_items"]["share"],
    script:
        "../workflow_scripts/serving/measure_new_items.py"


rule tabulate_new_items:
    input:
        measured=lambda wildcards: [
            f"results/{{dataset}}/{variant}/seed_{seed}/new_items.json"
            for variant, seed in takes_items(wildcards)
        ],
    output:
        markdown="results/{dataset}/new_items.md",
    log:
        "logs/{dataset}/tabulate_new_items.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("tabulate_new_items"),
        models=lambda wildcards: [f"{name}, seed {s}" for name, s in takes_items(wildcards)],
    script:
        "../workflow_scripts/serving/tabulate_new_items.py"


def data_of(wildcards):
    """What a card says of a dataset beside its statistics."""
    row = DATASETS[wildcards.dataset]
    terms = row.get("terms") or registry.declared("source", row["source"], "TERMS")
    named = {"source": row["source"], "category": row.get("category")}
    return named | {"terms": terms or "not told"}


rule write_card:
    input:
        model="results/{dataset}/{variant}/seed_{seed}/model/recommender.json",
        per_user="results/{dataset}/{variant}/seed_{seed}/per_user.parquet",
        statistics="results/{dataset}/data/statistics.json",
    output:
        card="results/{dataset}/{variant}/seed_{seed}/README.md",
    log:
        "logs/{dataset}/write_card/{variant}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("write_card"),
        data=data_of,
    script:
        "../workflow_scripts/serving/write_card.py"
