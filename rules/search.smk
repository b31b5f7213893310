# Settings tried on the dev set (config/searches.yaml): a trial is a row that is fitted once.


def trials_of(wildcards):
    """The fitted model of every trial, with the first seed of the dataset."""
    seed = DATASETS[wildcards.dataset]["seeds"][0]
    numbers = range(len(config["searches"][wildcards.search]))
    return [fitted(wildcards.dataset, rows.trial_name(wildcards.search, n), seed) for n in numbers]


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
