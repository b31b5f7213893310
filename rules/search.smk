# Settings tried on the dev set (config/searches.yaml): a trial is a row that is fitted once.


def trials_of(wildcards):
    """The fitted model of every trial, with the first seed of the dataset."""
    row, seed = wildcards.search, DATASETS[wildcards.dataset]["seeds"][0]
    return [
        fitted(wildcards.dataset, searches.trial_name(row, number) if overlay else row, seed)
        for number, overlay in enumerate(config["searches"][row])
    ]


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
