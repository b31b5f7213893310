# A dataset's tables and figures, and how they were made, as one page; and the figures that are made
# for it alone.


def history_of_teacher(wildcards):
    """How the language model was trained, where an analysed variant has learned from it."""
    taught = teacher_of(wildcards.dataset) == LANGUAGE_MODEL
    return [f"results/{wildcards.dataset}/teacher/history.parquet"] if taught else []


def measured_in_training(wildcards):
    """How many users of the dev set, at most, the recommenders and the teacher are measured on."""
    parts = SETTINGS[wildcards.dataset]
    trained = [row for row in map(VARIANTS.get, analysed(wildcards)) if rows.is_trained(row)]
    each = [rows.fitting(parts, row)["training"]["dev_users"] for row in trained]
    return {
        "methods": max(each, default=parts["training"]["dev_users"]),
        "teacher": parts["teacher"]["training"]["dev_users"],
    }


rule draw_training_curves:
    input:
        models=models_of_analysed,
        teacher=history_of_teacher,
        statistics="results/{dataset}/data/statistics.json",
    output:
        figure=[
            report(
                "results/{dataset}/analysis/training.svg",
                caption="../docs/captions/training.rst",
                category="Training",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/analysis/training.png",
            "results/{dataset}/analysis/training.pdf",
        ],
    log:
        "logs/{dataset}/draw_training_curves.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("draw_training_curves"),
        variants=analysed,
        dev_users=measured_in_training,
    script:
        "../workflow_scripts/analysis/draw_training_curves.py"


rule draw_slices:
    input:
        comparison="results/{dataset}/comparison.json",
    output:
        figure=[
            report(
                "results/{dataset}/analysis/slices.svg",
                caption="../docs/captions/slices.rst",
                category="Slices of users",
                labels={"dataset": "{dataset}"},
            ),
            "results/{dataset}/analysis/slices.png",
            "results/{dataset}/analysis/slices.pdf",
        ],
    log:
        "logs/{dataset}/draw_slices.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("draw_slices"),
        cutoff=largest_cutoff,
    script:
        "../workflow_scripts/analysis/draw_slices.py"


# Rows of the paper's Table 2 with their names there, and of Appendix B.
ABLATION = {
    "dwr": "DWR",
    "dwr_no_distill": "w/o DISTILL",
    "distill": "w/o RANK",
    "tiger": "w/o All",
}
PRIORS = ("dwr", "dwr_distance", "dwr_cooccurrence")


def shown_beside(wildcards):
    """The paper's rows beside those of the comparison, where it compares what they are held against.

    Returns:
        {"ablation": {variant: its name in Table 2}, "priors": {variant: its prior}}.
    """
    if (end := ending(compared(wildcards), "tiger", "distill", "dwr")) is None:
        return {"ablation": {}, "priors": {}}
    return {
        "ablation": {name + end: label for name, label in ABLATION.items()},
        "priors": {name + end: VARIANTS[name + end]["prior"] for name in PRIORS},
    }


def measured_rows(wildcards):
    """{variant: metrics.json} of the reference and of the paper's rows beside the comparison."""
    named = [reference(wildcards), *(n for of in shown_beside(wildcards).values() for n in of)]
    owners = {name: targets.owner(wildcards.dataset, name) for name in named}
    return {
        n: f"results/{dataset}/{variant}/metrics.json" for n, (dataset, variant) in owners.items()
    }


def sweeps_made(dataset):
    """{sweep: its figure}: a report shows those that somebody has asked for, and asks for none."""
    paths = {name: f"results/{dataset}/sweeps/{name}.svg" for name in config["sweeps"]}
    return {name: path for name, path in paths.items() if Path(path).exists()}


def reported(wildcards):
    """{name: path} of the analyses that a dataset's rows have."""
    dataset, analyses = wildcards.dataset, ["slices"]
    if generative_rows(dataset):
        analyses += ["beam_widths", "training"]
    if teacher := teacher_of(dataset):
        analyses += ["alignment", "cases"]
        analyses += ["embeddings"] if embeds_items(teacher) else []
    files = {
        f"{name}_{what}": f"results/{dataset}/analysis/{name}.{suffix}"
        for name in analyses
        for what, suffix in (("figure", "svg"), ("json", "json"))
    }
    # Of these there are only figures, or none.
    without = {"slices_json", "training_json", "cases_figure"}
    files = {name: path for name, path in files.items() if name not in without}
    if generative_rows(dataset):
        files["quality"] = f"results/{dataset}/ids/quality.json"
    for name, prior in shown_beside(wildcards)["priors"].items():
        candidates = candidates_of(dataset, VARIANTS[name], DATASETS[dataset]["seeds"][0])
        files[f"prior_{prior}"] = str(Path(candidates).with_suffix(".json"))
    return files | {f"sweep_{name}": path for name, path in sweeps_made(dataset).items()}


def described(wildcards):
    """What was run: the dataset's row, and each compared row with its seeds."""
    row, names = DATASETS[wildcards.dataset], compared(wildcards)
    return {
        "preset": row["preset"],
        "source": row["source"],
        "category": row.get("category"),
        "variants": {n: VARIANTS[variant] for n, (_, variant) in names.items()},
        "settings": {
            n: rows.fitting(SETTINGS[dataset], VARIANTS[variant])
            for n, (dataset, variant) in names.items()
        },
        "seeds": {n: seeds(*owner) for n, owner in names.items()},
        "reference": reference(wildcards),
        "measured": list(measured_rows(wildcards)),
        "sweeps": {
            name: "{row} by {setting}".format_map(config["sweeps"][name])
            for name in sweeps_made(wildcards.dataset)
        },
        **shown_beside(wildcards),
    }


rule write_report:
    input:
        unpack(reported),
        comparison="results/{dataset}/comparison.json",
        gains="results/{dataset}/comparison.svg",
        statistics="results/{dataset}/data/statistics.json",
        metrics=lambda wildcards: list(measured_rows(wildcards).values()),
        models=of_compared("model/recommender.json"),
        paper=f"{workflow.basedir}/config/paper.yaml",
        template=f"{LIBRARY}/lohrec/evaluation/report/page.html",
    output:
        html=report(
            "results/{dataset}/report.html",
            caption="../docs/captions/report.rst",
            category="Report",
            labels={"dataset": "{dataset}"},
        ),
        markdown="results/{dataset}/report.md",
        csv="results/{dataset}/report.csv",
    log:
        "logs/{dataset}/write_report.log",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("write_report"),
        run=described,
    script:
        "../workflow_scripts/analysis/write_report.py"
