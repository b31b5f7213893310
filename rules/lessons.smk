# What recommenders learn from: the probabilities and candidates of a row that teaches, in place of
# the large language model's, and candidates in order (Eq. 15, Appendix B).


def lessons_of(dataset, teacher, seed):
    """The folder of what a row teaches to the rows that name it."""
    seed = seed if str(seed) in map(str, seeds(dataset, teacher)) else seeds(dataset, teacher)[0]
    return f"results/{dataset}/{teacher}/seed_{seed}/lessons"


def candidates_of(dataset, row, seed):
    """The candidates that a row learns to order."""
    if row.get("teacher") and row["prior"] == "teacher":
        return f"{lessons_of(dataset, row['teacher'], seed)}/candidates.npy"
    return f"results/{dataset}/priors/{row.get('prior')}.npy"


def settings_of_lesson(wildcards):
    """What a lesson depends on: only of candidates there is a number."""
    idle = ("beams",) if wildcards.lesson == "probabilities" else ()
    return section("lessons", without=("batch_size", *idle))(wildcards)


def who_teaches(wildcards):
    """The row's fit, or that of each fold of the users."""
    folds = rows.folds(wildcards.variant, VARIANTS)
    row = wildcards.dataset, wildcards.variant, wildcards.seed
    return [fitted(*row, fold) for fold in range(folds)]


rule teach:
    input:
        models=who_teaches,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
        statistics="results/{dataset}/data/statistics.json",
    output:
        taught="results/{dataset}/{variant}/seed_{seed}/lessons/{lesson}.npy",
    log:
        "logs/{dataset}/teach/{variant}_seed_{seed}_{lesson}.log",
    benchmark:
        "benchmarks/{dataset}/teach/{variant}_seed_{seed}_{lesson}.tsv"
    wildcard_constraints:
        lesson="|".join(rows.LESSONS),
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend")
    resources:
        gpu=lambda wildcards: gpus_of_row(wildcards, "recommend")["count"],
        mem_mb=memory("teach"),
        runtime=runtime("teach"),
    params:
        code=code("teach", modules_of("variant")),
        settings=settings_of_lesson,
        batch_size=at_once("lessons"),
        cuda=lambda wildcards, resources: gpus_of_row(wildcards, "recommend"),
    script:
        "../workflow_scripts/recommender/teach.py"


def corrected(wildcards):
    """The teacher's beams, for the one prior that is made from them."""
    beams = f"results/{wildcards.dataset}/teacher/beams.npy"
    return {"beams": beams} if wildcards.prior == "teacher" else {}


def kept(wildcards):
    """How many candidates a recommender learns from."""
    return {"keep": SETTINGS[wildcards.dataset]["candidates"]["keep"]}


# From the teacher (Eq. 15), or from Appendix B.
rule order_candidates:
    input:
        unpack(corrected),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        candidates="results/{dataset}/priors/{prior}.npy",
        report="results/{dataset}/priors/{prior}.json",
    log:
        "logs/{dataset}/order_candidates/{prior}.log",
    benchmark:
        "benchmarks/{dataset}/order_candidates/{prior}.tsv"
    wildcard_constraints:
        prior="teacher|distance|cooccurrence",
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("order_candidates"),
        runtime=runtime("order_candidates"),
    params:
        code=code("order_candidates"),
        settings=kept,
    script:
        "../workflow_scripts/recommender/order_candidates.py"


# The same from a row that teaches.
use rule order_candidates as order_taught_candidates with:
    input:
        beams="results/{dataset}/{variant}/seed_{seed}/lessons/beams.npy",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        candidates="results/{dataset}/{variant}/seed_{seed}/lessons/candidates.npy",
        report="results/{dataset}/{variant}/seed_{seed}/lessons/candidates.json",
    log:
        "logs/{dataset}/order_taught_candidates/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/order_taught_candidates/{variant}_seed_{seed}.tsv"
    params:
        code=code("order_candidates"),
        settings=kept,
        prior="teacher",
