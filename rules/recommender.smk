# The lightweight recommenders (Section 3): fitting and lists. Every variant leaves
# results/{dataset}/{variant}/seed_{seed}/model, which `lohrec.Recommender.load` opens.


def read_in_fitting(wildcards):
    """What a row's fitting reads beyond the data: only the artefacts that it asks for."""
    dataset, row = wildcards.dataset, VARIANTS[wildcards.variant]
    results, identifiers = f"results/{dataset}", row.get("identifiers", rows.SEMANTIC)
    lessons = f"{results}/teacher"
    if row.get("teacher"):
        lessons = lessons_of(dataset, row["teacher"], wildcards.seed)
    places = {
        "ids": f"{results}/ids/{identifiers}_ids.npy",
        "encoder": encoder_of(dataset) if identifiers == rows.SEMANTIC else [],
        "teacher": f"{results}/teacher/model/model.safetensors",
        "probabilities": f"{lessons}/probabilities.npy",
        "beams": f"{lessons}/beams.npy",
        "prior": candidates_of(dataset, row, wildcards.seed),
    }
    try:
        artefacts = {
            name: registry.known(name, places, f"READS of {row['recommender']}")
            for name in rows.reads(row)
        }
    except ValueError as error:
        raise WorkflowError(str(error))
    parts = {"start": "start_from", "retriever": "retriever", "ranker": "ranker"}
    artefacts |= {
        name: fitted(dataset, row[key], wildcards.seed)
        for name, key in parts.items()
        if row.get(key)
    }
    if members := row.get("members"):
        # What the seeds of a row have learned differs: each is a member of its own.
        fold = getattr(wildcards, "fold", None)
        artefacts["members"] = [
            fitted(dataset, one, s, fold) for one in members for s in seeds(dataset, one)
        ]
    return artefacts


def fitting(wildcards):
    """What a row's recommender is, and the settings that its fitting reads.

    What another row reads is no part of it, so that only rows that use a value run again when it
    changes.
    """
    values, row = SETTINGS[wildcards.dataset], VARIANTS[wildcards.variant]
    given = {"recommender": row["recommender"], "history": values["ingest"]["history"]}
    return given | rows.fitting(values, row)


def fitting_decoding(wildcards):
    """What fitting reads of the section `decoding`: a ranker is tried on a retriever's lists."""
    orders = VARIANTS[wildcards.variant].get("generation") == 0
    return less(listing_decoding(wildcards, orders), ("top",))


def listing_decoding(wildcards, orders=False):
    """What lists read of it; but for `batch_size`, which they do not depend on."""
    row = VARIANTS[wildcards.variant]
    idle = [] if orders or row["recommender"] == "cascade" else ["rerank"]
    idle += [] if rows.has_trait(row, "searches_beams") else ["beams", "renormalise"]
    return section("decoding", ("batch_size", *idle))(wildcards)


def users_at_once(wildcards, resources):
    """Users that are searched at once; see `cuda` for the name `resources`."""
    row = VARIANTS[wildcards.variant]
    values = rows.of_row(SETTINGS[wildcards.dataset], row)
    own = values["recommenders"].get(row["recommender"], {})
    return own.get("batch_size", values["decoding"]["batch_size"])


def cuda_of(step):
    """GPUs of a step of a row's recommender, as a parameter; see `cuda`."""
    return lambda wildcards, resources: gpus_of_row(wildcards, step)


def gpus_of_row(wildcards, step):
    used = rows.declared_of(VARIANTS[wildcards.variant], "GPU", {})
    none = {"count": 0, "memory_gb": 0}
    return SETTINGS[wildcards.dataset]["cuda"][used[step]] if step in used else none


def folds_of_fit(wildcards):
    """How many folds there are, of a fit that leaves one out."""
    return rows.folds(wildcards.variant, VARIANTS) if hasattr(wildcards, "fold") else 1


rule fit:
    input:
        unpack(read_in_fitting),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        statistics="results/{dataset}/data/statistics.json",
    output:
        model="results/{dataset}/{variant}/seed_{seed}/model/recommender.json",
    log:
        "logs/{dataset}/fit/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/fit/{variant}_seed_{seed}.tsv"
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("fit")
    resources:
        gpu=lambda wildcards: gpus_of_row(wildcards, "fit")["count"],
        mem_mb=memory("fit"),
        runtime=runtime("fit"),
    params:
        code=code("fit", modules_of("variant")),
        settings=fitting,
        decoding=fitting_decoding,
        batch_size=users_at_once,
        cuda=cuda_of("fit"),
        folds=folds_of_fit,
    script:
        "../workflow_scripts/recommender/fit.py"


# One for each fold of the users, which has learned from all others.
use rule fit as fit_fold with:
    output:
        model="results/{dataset}/{variant}/seed_{seed}/folds/{fold}/model/recommender.json",
    log:
        "logs/{dataset}/fit_fold/{variant}_seed_{seed}_{fold}.log",
    benchmark:
        "benchmarks/{dataset}/fit_fold/{variant}_seed_{seed}_{fold}.tsv"


rule recommend:
    input:
        model="results/{dataset}/{variant}/seed_{seed}/model/recommender.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        statistics="results/{dataset}/data/statistics.json",
    output:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/recommend/{variant}_seed_{seed}.tsv"
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend")
    resources:
        gpu=lambda wildcards: gpus_of_row(wildcards, "recommend")["count"],
        mem_mb=memory("recommend"),
        runtime=runtime("recommend"),
    params:
        code=code("recommend", modules_of("variant")),
        decoding=listing_decoding,
        batch_size=users_at_once,
        both=True,
        cuda=cuda_of("recommend"),
    script:
        "../workflow_scripts/recommender/recommend.py"
