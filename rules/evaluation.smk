# Metrics a user, a variant, and all variants of a dataset side by side (Section 4.3).


def embedding_model(wildcards):
    """A variant that embeds items."""
    if not embeds_items(wildcards.variant):
        raise WorkflowError(
            f"evaluation.diversity of {wildcards.dataset} is model, and {wildcards.variant} has no "
            "model that embeds items: take it out of the row's variants, or choose other vectors."
        )
    return fitted(wildcards.dataset, wildcards.variant, wildcards.seed)


rule embed_codewords:
    input:
        model=embedding_model,
    output:
        vectors="results/{dataset}/{variant}/seed_{seed}/item_vectors.npy",
    log:
        "logs/{dataset}/embed_codewords/{variant}_seed_{seed}.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("embed_codewords", modules_of("variant")),
    script:
        "../workflow_scripts/evaluation/embed_codewords.py"


def diversity_vectors(wildcards):
    """The item vectors that a dataset's diversity is measured on."""
    dataset = wildcards.dataset
    named = SETTINGS[dataset]["evaluation"]["diversity"]
    if named == "text" and (absent := absent_text(dataset)):
        raise WorkflowError(
            f"{dataset} has no text to measure diversity on: there is no "
            f"{' or '.join(absent)} in {config['raw_dir']}. Put it there, or set "
            f"evaluation: {{diversity: interactions}} in datasets.{dataset}.settings."
        )
    seed = wildcards.get("seed", DATASETS[dataset]["seeds"][0])
    return {
        "text": item_vectors(wildcards),
        "latent": "results/{dataset}/ids/latents.npy",
        "interactions": "results/{dataset}/data/interaction_vectors.npy",
        "model": f"results/{{dataset}}/{{variant}}/seed_{seed}/item_vectors.npy",
    }[named]


def evaluated(wildcards):
    """What a single seed's figures depend on, and how long the lists are that MRR looks at."""
    settings = section("evaluation", without=("diversity", "resamples"))(wildcards)
    return settings | {"top": SETTINGS[wildcards.dataset]["decoding"]["top"]}


rule evaluate:
    input:
        recommendations="results/{dataset}/{variant}/seed_{seed}/recommendations.parquet",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        vectors=diversity_vectors,
    output:
        per_user="results/{dataset}/{variant}/seed_{seed}/per_user.parquet",
        exposure="results/{dataset}/{variant}/seed_{seed}/exposure.json",
    log:
        "logs/{dataset}/evaluate/{variant}_seed_{seed}.log",
    benchmark:
        "benchmarks/{dataset}/evaluate/{variant}_seed_{seed}.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("evaluate"),
        runtime=60,  # those of a group, this and `summarise`, are added up
    params:
        code=code("evaluate"),
        settings=evaluated,
    script:
        "../workflow_scripts/evaluation/evaluate.py"


def of_seeds(name, dataset, variant):
    """A file of each of a variant's seeds."""
    return [f"results/{dataset}/{variant}/seed_{seed}/{name}" for seed in seeds(dataset, variant)]


def made_of(wildcards):
    """What a summary says about how its figures were made."""
    row = DATASETS[wildcards.dataset]
    values = rows.settings_behind(
        wildcards.variant, row["source"], SETTINGS[wildcards.dataset], VARIANTS
    )
    return {
        "preset": row["preset"],
        "source": row["source"],
        "category": row.get("category"),
        "variants": rows.rows_behind(wildcards.variant, VARIANTS),
        "settings": {
            name: section
            for name, section in values.items()
            if name not in ("analysis", "cuda", "threads")
        },
    }


rule summarise:
    input:
        per_user=lambda wildcards: of_seeds(
            "per_user.parquet", wildcards.dataset, wildcards.variant
        ),
        exposure=lambda wildcards: of_seeds("exposure.json", wildcards.dataset, wildcards.variant),
        statistics="results/{dataset}/data/statistics.json",
    output:
        metrics="results/{dataset}/{variant}/metrics.json",
    log:
        "logs/{dataset}/summarise/{variant}.log",
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("summarise"),
        runtime=60,
    params:
        code=code("summarise"),
        seeds=lambda wildcards: seeds(wildcards.dataset, wildcards.variant),
        config=made_of,
    script:
        "../workflow_scripts/evaluation/summarise.py"


def compared(wildcards):
    """{variant: the dataset and the variant that it is} of those that the dataset's row names."""
    names = DATASETS[wildcards.dataset].get("variants", COMPARED)
    return {name: targets.owner(wildcards.dataset, name) for name in names}


def of_compared(name):
    """A file of each seed of each compared variant, variant by variant."""
    return lambda wildcards: [
        path for owner in compared(wildcards).values() for path in of_seeds(name, *owner)
    ]


def kinds_of_compared(wildcards):
    """{variant: whether it is a baseline, a teacher, or of this program's kind}."""
    return {n: kinds.of_row(name, VARIANTS) for n, (_, name) in compared(wildcards).items()}


def reference(wildcards):
    """The variant that the others of a comparison are held against."""
    return DATASETS[wildcards.dataset]["reference"]


def share_trainings(one, other):
    """Whether a training of each seed is behind both of two variants, (dataset, row) each."""
    (dataset, row), (of_other, other_row) = one, other
    behind = rows.trainings(row, VARIANTS) & rows.trainings(other_row, VARIANTS)
    return dataset == of_other and bool(behind)


def paired(wildcards):
    """{variant: those that share trainings with it}, of the reference and of baselines."""
    owners, of = compared(wildcards), kinds_of_compared(wildcards)
    bases = [n for n in owners if n == reference(wildcards) or of[n] == "baseline"]
    sharing = {
        base: [n for n in owners if n != base and share_trainings(owners[n], owners[base])]
        for base in bases
    }
    return {base: names for base, names in sharing.items() if names}


rule compare:
    input:
        per_user=of_compared("per_user.parquet"),
        exposure=of_compared("exposure.json"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        json="results/{dataset}/comparison.json",
        markdown="results/{dataset}/comparison.md",
        figure=[
            report(
                "results/{dataset}/comparison.svg",
                caption="../docs/captions/comparison.rst",
                category="Comparison",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/comparison.png",
            "results/{dataset}/comparison.pdf",
        ],
    log:
        "logs/{dataset}/compare.log",
    benchmark:
        "benchmarks/{dataset}/compare.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("compare"),
        runtime=runtime("compare"),
    params:
        code=code("compare"),
        seeds=lambda wildcards: {n: len(seeds(*o)) for n, o in compared(wildcards).items()},
        kinds=kinds_of_compared,
        reference=reference,
        paired=paired,
        settings=section("evaluation"),
    script:
        "../workflow_scripts/evaluation/compare.py"


# Rows that transformers' `generate` can search with.
T5 = [n for n, row in VARIANTS.items() if row.get("network") == "t5"]


rule compare_with_generate:
    input:
        model="results/{dataset}/{variant}/seed_{seed}/model/recommender.json",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        comparison="results/{dataset}/{variant}/seed_{seed}/generate.json",
    log:
        "logs/{dataset}/compare_with_generate/{variant}_seed_{seed}.log",
    wildcard_constraints:
        variant=any_of(T5),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("compare_with_generate", modules_of("variant")),
        decoding=section("decoding"),
    script:
        "../workflow_scripts/evaluation/compare_with_generate.py"
