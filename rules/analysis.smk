# The paper's further analyses: beam widths (Figures 1 and 3), how close a variant is to its teacher
# (Figure 4), and the lists of single users (Tables 4 and 5).

LANGUAGE_MODEL = "lcrec"  # the row that recommends as the dataset's language model does


def ending(names, *methods):
    """The ending with which all of these methods of the paper are among the names, or None."""
    return next((e for e in rows.ENDINGS if {one + e for one in methods} <= {*names}), None)


def rows_of(dataset, recommender):
    """The rows of one recommender among the variants that a dataset's row compares."""
    names = DATASETS[dataset].get("variants", COMPARED)
    return [n for n in names if n in VARIANTS and VARIANTS[n]["recommender"] == recommender]


def generative_rows(dataset):
    """The generative recommenders among them."""
    return rows_of(dataset, "generative")


def analysed(wildcards):
    """The generative rows, of which there must be one."""
    dataset = wildcards.dataset
    if not (generative := generative_rows(dataset)):
        raise WorkflowError(
            f"{dataset} compares no generative variant of its own, so there is nothing "
            f"to analyse; add one to datasets.{dataset}.variants."
        )
    return generative


def first_model(wildcards):
    return first_fit(wildcards.dataset, wildcards.variant)


def first_fit(dataset, variant):
    """A variant as its first seed left it."""
    return fitted(dataset, variant, DATASETS[dataset]["seeds"][0])


def widths(wildcards):
    """Beam widths that are compared: those that find a list as long as the largest cutoff."""
    beams = SETTINGS[wildcards.dataset]["analysis"]["beams"]
    most = largest_cutoff(wildcards)
    if not (wide := [width for width in beams if width >= most]):
        raise WorkflowError(
            f"{wildcards.dataset}: all of analysis.beams ({', '.join(map(str, beams))}) are below "
            f"evaluation.cutoffs ({most}), so none finds a list to measure; add a wider one."
        )
    return wide


def decoding_at_width(wildcards):
    """What lists read of the section `decoding`, with another beam width; none is longer than that.

    A cascade's ranker orders as many candidates.
    """
    decoding, beams = listing_decoding(wildcards), int(wildcards.beams)
    wide = {name: beams for name in ("beams", "rerank") if name in decoding}
    return decoding | wide | {"top": min(decoding["top"], beams)}


def width(wildcards):
    return int(wildcards.beams)


use rule recommend as recommend_at_width with:
    input:
        model=first_model,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        statistics="results/{dataset}/data/statistics.json",
    output:
        recommendations="results/{dataset}/analysis/{variant}/beams_{beams}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_at_width/{variant}_{beams}.log",
    benchmark:
        "benchmarks/{dataset}/recommend_at_width/{variant}_{beams}.tsv"
    resources:
        gpu=lambda wildcards: gpus_of_row(wildcards, "recommend")["count"],
        mem_mb=memory("recommend"),
        runtime=runtime("recommend", width),
    params:
        code=code("recommend", modules_of("variant")),
        decoding=decoding_at_width,
        batch_size=users_at_once,
        both=False,  # else that of `recommend` holds here too
        cuda=cuda_of("recommend"),


use rule evaluate as evaluate_at_width with:
    input:
        recommendations="results/{dataset}/analysis/{variant}/beams_{beams}/recommendations.parquet",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        vectors=diversity_vectors,
    output:
        per_user="results/{dataset}/analysis/{variant}/beams_{beams}/per_user.parquet",
        exposure="results/{dataset}/analysis/{variant}/beams_{beams}/exposure.json",
    log:
        "logs/{dataset}/evaluate_at_width/{variant}_{beams}.log",
    benchmark:
        "benchmarks/{dataset}/evaluate_at_width/{variant}_{beams}.tsv"


rule count_invalid_beams:
    input:
        model=first_model,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        invalid="results/{dataset}/analysis/{variant}/invalid.json",
    log:
        "logs/{dataset}/count_invalid_beams/{variant}.log",
    benchmark:
        "benchmarks/{dataset}/count_invalid_beams/{variant}.tsv"
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend")
    resources:
        gpu=gpus("recommend"),
        mem_mb=memory("recommend"),
        runtime=runtime("recommend", lambda wildcards: sum(widths(wildcards))),
    params:
        code=code("count_invalid_beams", modules_of("variant")),
        batch_size=at_once("decoding"),
        beams=widths,
        cuda=cuda_of("recommend"),
    script:
        "../workflow_scripts/analysis/count_invalid_beams.py"


def widened(wildcards):
    """The analysed rows, then the cascades, whose invalid beams are their retrievers'."""
    return analysed(wildcards) + rows_of(wildcards.dataset, "cascade")


def figures_at_width(dataset, variant, beams):
    """A variant's metrics a user; those of the table where its width is the usual one."""
    at = SimpleNamespace(dataset=dataset, variant=variant, beams=beams)
    if decoding_at_width(at) == listing_decoding(at):
        return of_seeds("per_user.parquet", dataset, variant)[0]
    return f"results/{dataset}/analysis/{variant}/beams_{beams}/per_user.parquet"


def figures_at_widths(wildcards):
    """Those of every such variant at every width, variant by variant."""
    return [
        figures_at_width(wildcards.dataset, name, beams)
        for name in widened(wildcards)
        for beams in widths(wildcards)
    ]


def invalid_beams(wildcards):
    folder = f"results/{wildcards.dataset}/analysis"
    return [f"{folder}/{name}/invalid.json" for name in analysed(wildcards)]


rule compare_beam_widths:
    input:
        per_user=figures_at_widths,
        invalid=invalid_beams,
    output:
        json="results/{dataset}/analysis/beam_widths.json",
        markdown="results/{dataset}/analysis/beam_widths.md",
        figure=[
            report(
                "results/{dataset}/analysis/beam_widths.svg",
                caption="../docs/captions/beam_widths.rst",
                category="Beam widths",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/analysis/beam_widths.png",
            "results/{dataset}/analysis/beam_widths.pdf",
        ],
    log:
        "logs/{dataset}/compare_beam_widths.log",
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("compare_beam_widths"),
        runtime=runtime("compare_beam_widths"),
    params:
        code=code("compare_beam_widths"),
        variants=widened,
        beams=widths,
        cutoff=largest_cutoff,
    script:
        "../workflow_scripts/analysis/compare_beam_widths.py"


def lists(dataset, variant):
    """The lists of a variant's first seed."""
    return (
        f"results/{dataset}/{variant}/seed_{DATASETS[dataset]['seeds'][0]}/recommendations.parquet"
    )


def lists_beside_teacher(wildcards):
    return [lists(wildcards.dataset, name) for name in beside_teacher(wildcards)]


def alignment_settings(wildcards):
    """How long lists are compared, and how often users are drawn again."""
    parts = SETTINGS[wildcards.dataset]
    return {"top": parts["decoding"]["top"], "resamples": parts["evaluation"]["resamples"]}


def teachers(variant):
    """The rows whose lessons a row has learned, or the row that it starts from."""
    row = VARIANTS[variant]
    own = {row.get("teacher") or LANGUAGE_MODEL} if rows.learns_from_teacher(row) else set()
    return own | (teachers(row["start_from"]) if row.get("start_from") else set())


def taught_by(dataset, teacher):
    """The generative rows, but for the teacher and those that others have taught."""
    return [n for n in generative_rows(dataset) if n != teacher and teachers(n) <= {teacher}]


def teacher_of(dataset):
    """The row that has taught generative rows by itself, the language model first; or None."""
    found = [one for name in generative_rows(dataset) for one in sorted(teachers(name))]
    alone = [one for one in found if any(teachers(n) for n in taught_by(dataset, one))]
    return LANGUAGE_MODEL if LANGUAGE_MODEL in alone else next(iter(alone), None)


def teacher_compared(wildcards):
    """The same, of which there must be one."""
    names, dataset = analysed(wildcards), wildcards.dataset
    if (teacher := teacher_of(dataset)) is None:
        raise WorkflowError(
            f"None of {', '.join(names)}, which {dataset} compares, has learned from one teacher, "
            f"so there is none to hold them against; add one that has to datasets.{dataset}.variants."
        )
    return teacher


def lists_of_teacher(wildcards):
    return lists(wildcards.dataset, teacher_compared(wildcards))


def beside_teacher(wildcards):
    """Those that are held against the teacher."""
    return taught_by(wildcards.dataset, teacher_compared(wildcards))


def aligned(wildcards):
    """Those rows, and where DWR is one of them the paper's other ways to learn a teacher's lists.

    The paper's Rank learns Eq. 14 where Ref learns the target: DWR, or DWR without distillation.
    """
    names = beside_teacher(wildcards)
    end = ending(names, "dwr")
    others = [] if end is None else [f"dwr_no_distill{end}", f"top{end}", f"random{end}"]
    return names + [name for name in others if name not in names]


def lists_of_aligned(wildcards):
    return [lists(wildcards.dataset, name) for name in aligned(wildcards)]


rule measure_alignment:
    input:
        recommendations=lists_of_aligned,
        teacher=lists_of_teacher,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        json="results/{dataset}/analysis/alignment.json",
        markdown="results/{dataset}/analysis/alignment.md",
        figure=[
            report(
                "results/{dataset}/analysis/alignment.svg",
                caption="../docs/captions/alignment.rst",
                category="Alignment with the teacher",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/analysis/alignment.png",
            "results/{dataset}/analysis/alignment.pdf",
        ],
    log:
        "logs/{dataset}/measure_alignment.log",
    benchmark:
        "benchmarks/{dataset}/measure_alignment.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("measure_alignment"),
        runtime=runtime("measure_alignment"),
    params:
        code=code("measure_alignment"),
        variants=aligned,
        taught_by=teacher_compared,
        settings=alignment_settings,
    script:
        "../workflow_scripts/analysis/measure_alignment.py"


def models_of_analysed(wildcards):
    return [first_fit(wildcards.dataset, name) for name in analysed(wildcards)]


def teacher_as_recommender(wildcards):
    """A teacher that embeds items."""
    dataset, teacher = wildcards.dataset, teacher_compared(wildcards)
    if not embeds_items(teacher):
        raise WorkflowError(
            f"The row {teacher}, which has taught {dataset}'s rows, has no vectors of items to map."
        )
    return first_fit(dataset, teacher)


def embeds_items(variant):
    """Whether a row's recommender has vectors of items."""
    return rows.has_trait(VARIANTS[variant], "embeds_items")


def mapped(wildcards):
    """The rows whose items are mapped beside the teacher's."""
    return [first_fit(wildcards.dataset, name) for name in beside_teacher(wildcards)]


def modules_of_mapped(wildcards):
    """The modules of all models that are mapped."""
    names = [*beside_teacher(wildcards), teacher_compared(wildcards)]
    return [part for name in names for part in rows.modules(VARIANTS[name], VARIANTS)]


rule map_embeddings:
    input:
        models=mapped,
        teacher=teacher_as_recommender,
        catalogue="results/{dataset}/data/items.parquet",
    output:
        json="results/{dataset}/analysis/embeddings.json",
        figure=[
            report(
                "results/{dataset}/analysis/embeddings.svg",
                caption="../docs/captions/embeddings.rst",
                category="Embeddings of items",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/analysis/embeddings.png",
            "results/{dataset}/analysis/embeddings.pdf",
        ],
    log:
        "logs/{dataset}/map_embeddings.log",
    benchmark:
        "benchmarks/{dataset}/map_embeddings.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("map_embeddings"),
        runtime=runtime("map_embeddings"),
    params:
        code=code("map_embeddings", modules_of_mapped),
        variants=beside_teacher,
        neighbours=lambda wildcards: SETTINGS[wildcards.dataset]["analysis"]["neighbours"],
    script:
        "../workflow_scripts/analysis/map_embeddings.py"


def cases_settings(wildcards):
    """How many users are shown, and how much of their lists."""
    number = SETTINGS[wildcards.dataset]["analysis"]["cases"]
    return {"cases": number, "cutoff": largest_cutoff(wildcards)}


rule show_cases:
    input:
        recommendations=lists_beside_teacher,
        teacher=lists_of_teacher,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
    output:
        json="results/{dataset}/analysis/cases.json",
        markdown="results/{dataset}/analysis/cases.md",
    log:
        "logs/{dataset}/show_cases.log",
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("show_cases"),
        runtime=runtime("show_cases"),
    params:
        code=code("show_cases"),
        variants=beside_teacher,
        taught_by=teacher_compared,
        settings=cases_settings,
    script:
        "../workflow_scripts/analysis/show_cases.py"
