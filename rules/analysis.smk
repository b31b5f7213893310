# The paper's further analyses: beam widths (Figures 1 and 3), how close a student is to its teacher
# (Figure 4), and lists of single users (Tables 4 and 5). Generators of a dataset's row, first seed.


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
        per_user="results/{dataset}/analysis/{variant}/beams_{beams}/per_user.parquet",
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
        settings=alignment_settings,
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
        settings=cases_settings,
    script:
        "../workflow_scripts/analysis/show_cases.py"
