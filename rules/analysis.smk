# The paper's further analyses: beam widths (Figures 1 and 3), how close a student is to its teacher
# (Figure 4), lists of single users (Tables 4 and 5), and how the training went. Generators of a
# dataset's row, first seed.


use rule recommend_generator as recommend_at_width with:
    input:
        model=first_model("model.safetensors"),
        config=first_model("config.json"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        recommendations="results/{dataset}/analysis/{variant}/beams_{beams}/recommendations.parquet",
    log:
        "logs/{dataset}/recommend_at_width/{variant}_{beams}.log",
    benchmark:
        "benchmarks/{dataset}/recommend_at_width/{variant}_{beams}.tsv"
    params:
        code=code("recommend_generator"),
        decoding=decoding_at_width,
        cuda=cuda("recommend_generator"),


use rule evaluate as evaluate_at_width with:
    input:
        recommendations="results/{dataset}/analysis/{variant}/beams_{beams}/recommendations.parquet",
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        vectors=diversity_vectors,
    output:
        "results/{dataset}/analysis/{variant}/beams_{beams}/per_user.parquet",
    log:
        "logs/{dataset}/evaluate_at_width/{variant}_{beams}.log",


rule count_invalid_beams:
    input:
        model=first_model("model.safetensors"),
        config=first_model("config.json"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        invalid="results/{dataset}/analysis/{variant}/invalid.json",
    log:
        "logs/{dataset}/count_invalid_beams/{variant}.log",
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("recommend_generator")
    resources:
        gpu=gpus("recommend_generator"),
    params:
        code=code("count_invalid_beams"),
        batch_size=lambda wildcards: SETTINGS[wildcards.dataset]["decoding"]["batch_size"],
        beams=widths,
        cuda=cuda("recommend_generator"),
    script:
        "../workflow_scripts/analysis/count_invalid_beams.py"


rule compare_beam_widths:
    input:
        per_user=figures_at_widths,
        invalid=invalid_beams,
    output:
        json="results/{dataset}/analysis/beam_widths.json",
        markdown="results/{dataset}/analysis/beam_widths.md",
        figure=report(
            "results/{dataset}/analysis/beam_widths.svg",
            category="Beam widths",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/{dataset}/compare_beam_widths.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("compare_beam_widths"),
        variants=analysed,
        beams=widths,
        cutoff=largest_cutoff,
    script:
        "../workflow_scripts/analysis/compare_beam_widths.py"


rule measure_alignment:
    input:
        students=lists_of_generators,
        teacher=lambda wildcards: lists(wildcards.dataset, "lcrec"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        json="results/{dataset}/analysis/alignment.json",
        markdown="results/{dataset}/analysis/alignment.md",
        figure=report(
            "results/{dataset}/analysis/alignment.svg",
            category="Alignment with the teacher",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/{dataset}/measure_alignment.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("measure_alignment"),
        variants=analysed,
        measured=alignment_settings,
    script:
        "../workflow_scripts/analysis/measure_alignment.py"


rule map_embeddings:
    input:
        students=models_of_generators,
        teacher="results/{dataset}/teacher/model/model.safetensors",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        json="results/{dataset}/analysis/embeddings.json",
        figure=report(
            "results/{dataset}/analysis/embeddings.png",
            category="Embeddings of items",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/{dataset}/map_embeddings.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("map_embeddings"),
        variants=analysed,
        neighbours=lambda wildcards: SETTINGS[wildcards.dataset]["analysis"]["neighbours"],
    script:
        "../workflow_scripts/analysis/map_embeddings.py"


rule show_cases:
    input:
        students=lists_of_generators,
        teacher=lambda wildcards: lists(wildcards.dataset, "lcrec"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
    output:
        markdown="results/{dataset}/analysis/cases.md",
    log:
        "logs/{dataset}/show_cases.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("show_cases"),
        variants=analysed,
        shown=cases_settings,
    script:
        "../workflow_scripts/analysis/show_cases.py"


def training_histories(wildcards):
    """{name: history} of the compared variants that are trained, and of the teacher behind them."""
    names = analysed(wildcards)
    first = DATASETS[wildcards.dataset]["seeds"][0]
    folder = f"results/{wildcards.dataset}"
    found = {name: f"{folder}/generators/{name}/seed_{first}/history.parquet" for name in names}
    rows = [row for name in names for row in settings.rows_behind(name, VARIANTS).values()]
    if any(
        row["target"] == "teacher" or row["label"] != "target" or row["prior"] == "llm"
        for row in rows
    ):
        found["teacher"] = f"{folder}/teacher/history.parquet"
    return found


rule draw_training_curves:
    input:
        histories=lambda wildcards: list(training_histories(wildcards).values()),
    output:
        figure=report(
            "results/{dataset}/analysis/training.svg",
            category="Training",
            labels={"dataset": "{dataset}"},
        ),
    log:
        "logs/{dataset}/draw_training_curves.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("draw_training_curves"),
        names=lambda wildcards: list(training_histories(wildcards)),
    script:
        "../workflow_scripts/analysis/draw_training_curves.py"
