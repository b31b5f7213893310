# Settings that are tried (config/searches.yaml): a trial is a row that is fitted, on the dev set; of a
# sweep each value is one, on dev and test users.


def trials_of(wildcards):
    """The fitted model of every trial, with the first seed of the dataset."""
    row, seed = wildcards.search, DATASETS[wildcards.dataset]["seeds"][0]
    names = [
        searches.trial_name(row, number) if overlay else row
        for number, overlay in enumerate(config["searches"][row])
    ]
    check_tried(wildcards.dataset, {name: VARIANTS[name] for name in names})
    return [fitted(wildcards.dataset, name, seed) for name in names]


def check_tried(dataset, tried):
    """Refuse rows that are tried and cannot work together with others in a dataset."""
    try:
        for name, row in tried.items():
            agreement.check_row(dataset, name, row, SETTINGS[dataset], VARIANTS)
    except ValueError as error:
        raise WorkflowError(str(error))


rule tabulate_search:
    input:
        models=trials_of,
    output:
        markdown="results/{dataset}/searches/{search}.md",
        table="results/{dataset}/searches/{search}.csv",
    log:
        "logs/{dataset}/tabulate_search/{search}.log",
    wildcard_constraints:
        search=any_of(config["searches"]),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("tabulate_search"),
        trials=lambda wildcards: config["searches"][wildcards.search],
    script:
        "../workflow_scripts/recommender/tabulate_search.py"


def swept_rows(wildcards):
    """{value: the row that has it}, in the order of the sweep."""
    sweep, values = config["sweeps"][wildcards.sweep], SETTINGS[wildcards.dataset]
    found = {
        value: searches.row_with(wildcards.sweep, value, sweep, values, VARIANTS)
        for value in sweep["values"]
    }
    check_tried(wildcards.dataset, {name: VARIANTS[name] for name in found.values()})
    return found


def figures_of_values(wildcards):
    """Metrics a user, value by value, seed by seed; of beams those of the first seed."""
    dataset, sweep = wildcards.dataset, config["sweeps"][wildcards.sweep]
    if sweep["setting"] == searches.BEAMS:
        if (narrow := min(sweep["values"])) < (most := largest_cutoff(wildcards)):
            raise WorkflowError(
                f"sweeps.{wildcards.sweep}: a beam of {narrow} finds no list of {most} items, which "
                f"{dataset} measures (evaluation.cutoffs). Take wider ones."
            )
        return [figures_at_width(dataset, sweep["row"], width) for width in sweep["values"]]
    return [
        path
        for row in swept_rows(wildcards).values()
        for path in of_seeds("per_user.parquet", dataset, row)
    ]


def described_sweep(wildcards):
    """The row, the setting and its values, each with its number of seeds; whose figures the others
    are held against, those of the row as it is, or of the first value; and which values share
    trainings with it."""
    sweep = config["sweeps"][wildcards.sweep]
    dataset, found = wildcards.dataset, {}
    if sweep["setting"] == searches.BEAMS:
        counts = {value: 1 for value in sweep["values"]}
        own = [SETTINGS[wildcards.dataset]["decoding"]["beams"]]
    else:
        found = swept_rows(wildcards)
        counts = {value: len(seeds(dataset, row)) for value, row in found.items()}
        own = [value for value, row in found.items() if row == sweep["row"]]
    base = next((value for value in own if value in counts), sweep["values"][0])
    return {
        "row": sweep["row"],
        "setting": sweep["setting"],
        "seeds": {searches.shown(value): count for value, count in counts.items()},
        "reference": searches.shown(base),
        "paired": [
            searches.shown(value)
            for value in found
            if share_trainings((dataset, found[value]), (dataset, found[base]))
        ],
    }


rule draw_sweep:
    input:
        per_user=figures_of_values,
    output:
        table="results/{dataset}/sweeps/{sweep}.csv",
        markdown="results/{dataset}/sweeps/{sweep}.md",
        figure=[
            report(
                "results/{dataset}/sweeps/{sweep}.svg",
                caption="../docs/captions/sweep.rst",
                category="Sweeps",
                labels={"dataset": "{dataset}", "sweep": "{sweep}"},
            ),
            "results/{dataset}/sweeps/{sweep}.png",
            "results/{dataset}/sweeps/{sweep}.pdf",
        ],
    log:
        "logs/{dataset}/draw_sweep/{sweep}.log",
    wildcard_constraints:
        sweep=any_of(config["sweeps"]),
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("draw_sweep"),
        runtime=runtime("draw_sweep"),
    params:
        code=code("draw_sweep"),
        swept=described_sweep,
        settings=lambda wildcards: {
            "cutoff": largest_cutoff(wildcards),
            "resamples": SETTINGS[wildcards.dataset]["evaluation"]["resamples"],
            "vectors": SETTINGS[wildcards.dataset]["evaluation"]["diversity"],
        },
    script:
        "../workflow_scripts/analysis/draw_sweep.py"


def tried_in_study(wildcards):
    """How many trials there are, the ranges, and where a fit's settings have them."""
    study = config["studies"][wildcards.variant]
    check_tried(wildcards.dataset, STUDIED[wildcards.variant])
    return {
        "trials": study["trials"],
        "ranges": searches.ranges(study, settings.schema(SCHEMA)),
        "places": {name: searches.place_of(name) for name in study["settings"]},
    }


def read_in_trials(wildcards):
    """What the fits of a study read: that of the row's first seed."""
    seed = DATASETS[wildcards.dataset]["seeds"][0]
    return read_in_fitting(SimpleNamespace(seed=seed, **dict(wildcards.items())))


def runtime_of_study(wildcards, threads, attempt):
    """Minutes of all trials, or as many as there are: a study that was cut off goes on."""
    trials = config["studies"][wildcards.variant]["trials"]
    return min([trials * runtime("fit")(wildcards, threads, attempt), *PATIENCE])


rule search_ranges:
    input:
        unpack(read_in_trials),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        statistics="results/{dataset}/data/statistics.json",
    output:
        study="results/{dataset}/studies/{variant}.sqlite",
        markdown="results/{dataset}/studies/{variant}.md",
        table="results/{dataset}/studies/{variant}.csv",
    log:
        "logs/{dataset}/search_ranges/{variant}.log",
    benchmark:
        "benchmarks/{dataset}/search_ranges/{variant}.tsv"
    wildcard_constraints:
        variant=any_of(config["studies"]),
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("fit")
    resources:
        gpu=lambda wildcards: gpus_of_row(wildcards, "fit")["count"],
        mem_mb=memory("fit"),
        runtime=runtime_of_study,
    params:
        code=code("search_ranges", modules_of("variant")),
        settings=fitting,
        tried=tried_in_study,
        decoding=fitting_decoding,
        batch_size=at_once("decoding"),
        first=lambda wildcards: {"seed": DATASETS[wildcards.dataset]["seeds"][0]},
        cuda=cuda_of("fit"),
    script:
        "../workflow_scripts/recommender/search_ranges.py"
