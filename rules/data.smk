# Raw files -> interactions and items -> examples (Section 4.1).
# A dataset's source declares what its raw files are called and where they come from: data/sources.


def files_of(dataset):
    """{kind: file} of a dataset's raw files, as its source declares them."""
    return registry.declared("source", DATASETS[dataset]["source"], "FILES")


def brings_identifiers(dataset):
    """Whether semantic IDs come with a dataset's interactions."""
    return "index" in files_of(dataset)


def is_published(dataset):
    """Whether a dataset's files are on a server; one's own are never looked for there."""
    row = DATASETS[dataset]
    return row.get("category") in (registry.declared("source", row["source"], "PUBLISHED") or ())


def downloads():
    """{file name: {"url": address, "sha256": expected digest or None}} of every dataset."""
    digests = {}
    for row in DATASETS.values():
        digests |= row["sha256"]
    return {
        name: {"url": file["url"].format(file=name), "sha256": digests.get(name)}
        for dataset, row in DATASETS.items()
        if is_published(dataset)
        for file in files_of(dataset).values()
        if "url" in file
        for name in [file["file"].format(**row)]
    }


def raw_names(dataset, kind):
    """Names that a dataset's raw file may have; the first is that of a download, none if unnamed."""
    row, file = DATASETS[dataset], files_of(dataset)[kind]
    if "setting" in file:
        return list(filter(None, [SETTINGS[dataset]["sources"][row["source"]][file["setting"]]]))
    return [name.format(**row) for name in (file["file"], *file.get("also", ()))]


def found_raw(dataset, kind):
    """The path of a dataset's raw file, if it is there: other names count after a download."""
    if not (names := raw_names(dataset, kind)):
        return None
    downloaded = f"resources/downloads/{names[0]}"
    try:
        paths = [machine.find_raw(config["raw_dir"], name) for name in names]
    except ValueError as error:
        raise WorkflowError(str(error))
    paths.insert(1, downloaded if Path(downloaded).exists() else None)
    return next(filter(None, paths), None)


def parts_of(path):
    """The files of a table, which may be a folder."""
    try:
        return machine.parts(path)
    except ValueError as error:
        raise WorkflowError(str(error))


def raw_file(kind):
    """The path of a dataset's raw file: in raw_dir if it is there, else where a rule puts it."""

    def path(wildcards):
        file = files_of(wildcards.dataset)[kind]
        if "made" in file:
            return file["made"].format(dataset=wildcards.dataset, **DATASETS[wildcards.dataset])
        if found := found_raw(wildcards.dataset, kind):
            return parts_of(found) if file.get("parts") else found
        names = raw_names(wildcards.dataset, kind)
        if "url" in file and is_published(wildcards.dataset):
            return f"resources/downloads/{names[0]}"
        own = " A shop's own files are read by source: table." if "url" in file else ""
        if kind == "index":
            own = " Without it, source: table, recipe: lcrec trains identifiers of your own."
        raise WorkflowError(
            f"{wildcards.dataset} needs {' or '.join(names)}, which is neither in {config['raw_dir']} nor in a "
            f"folder below it. Put it there, or name its folder: --config raw_dir=FOLDER.{own}"
        )

    return path


def ingested(wildcards):
    """{kind: path or paths} of the raw files that a dataset's ingest reads.

    An optional one is read if it is there; if a setting names it, it must be.
    """
    dataset = wildcards.dataset
    return {
        kind: raw_file(kind)(wildcards)
        for kind, file in files_of(dataset).items()
        if kind != "index"
        and (
            not file.get("optional")
            or (raw_names(dataset, kind) if "setting" in file else found_raw(dataset, kind))
        )
    }


def absent_text(dataset):
    """Names of the file with a dataset's texts, where it is optional and not there."""
    return [
        name
        for kind, file in files_of(dataset).items()
        if file.get("optional") and "setting" not in file and not found_raw(dataset, kind)
        for name in raw_names(dataset, kind)
    ]


def raw_contents(files):
    """Digests of the raw files {kind: path or paths}, but of those that a rule put where they are."""

    def digests(wildcards):
        return contents_of(
            path
            for kind, paths in files(wildcards).items()
            for path in ([paths] if isinstance(paths, str) else paths)
            if "made" not in files_of(wildcards.dataset)[kind]
            and not Path(path).is_relative_to("resources/downloads")
        )

    return digests


def read_settings(wildcards):
    """What the `read` of a dataset's source takes: of the section `ingest`, or of its own."""
    source = DATASETS[wildcards.dataset]["source"]
    values = section("ingest")(wildcards) | section("sources")(wildcards)[source]
    return {name: values[name] for name in registry.declared("source", source, "READS")}


def source_module(wildcards):
    """A dataset's source, which a script finds by name."""
    return [("source", DATASETS[wildcards.dataset]["source"])]


rule download_reviews:
    output:
        raw="resources/downloads/{file}",
        record="resources/downloads/{file}.record.json",
    log:
        "logs/download_reviews/{file}.log",
    wildcard_constraints:
        file=any_of(re.escape(name) for name in downloads()),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("download_reviews"),
        source=lambda wildcards: downloads()[wildcards.file],
    script:
        "../workflow_scripts/data/download_reviews.py"


rule simulate_reviews:
    output:
        reviews="resources/simulated/{dataset}/reviews.json.gz",
        metadata="resources/simulated/{dataset}/metadata.json.gz",
    log:
        "logs/{dataset}/simulate_reviews.log",
    wildcard_constraints:
        dataset=any_of(name for name, row in DATASETS.items() if row["source"] == "simulated"),
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("simulate_reviews"),
        settings=lambda wildcards: section("sources")(wildcards)["simulated"],
    script:
        "../workflow_scripts/data/simulate_reviews.py"


rule ingest:
    input:
        unpack(ingested),
    output:
        interactions="results/{dataset}/data/interactions.parquet",
        catalogue="results/{dataset}/data/items.parquet",
        users="results/{dataset}/data/users.parquet",
        report="results/{dataset}/data/ingest_report.json",
        statistics="results/{dataset}/data/statistics.json",
    log:
        "logs/{dataset}/ingest.log",
    benchmark:
        "benchmarks/{dataset}/ingest.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("ingest"),
    params:
        code=code("ingest", source_module),
        source=lambda wildcards: DATASETS[wildcards.dataset]["source"],
        settings=read_settings,
        contents=raw_contents(ingested),
    script:
        "../workflow_scripts/data/ingest.py"


rule split_sequences:
    input:
        interactions="results/{dataset}/data/interactions.parquet",
    output:
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    log:
        "logs/{dataset}/split_sequences.log",
    benchmark:
        "benchmarks/{dataset}/split_sequences.tsv"
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("split_sequences"),
        runtime=runtime("split_sequences"),
    params:
        code=code("split_sequences"),
        settings=section("ingest", without=("core", "most_rejected", "tie_seed")),
    script:
        "../workflow_scripts/data/split_sequences.py"


# Now, since Snakemake puts a traceback around an error of a rule's function.
for target in sys.argv[1:] if workflow.is_main_process else ():
    if target.startswith("results/") and (dataset := target.split("/")[1]) in DATASETS:
        try:
            ingested(SimpleNamespace(dataset=dataset))
        except WorkflowError as error:
            raise WorkflowError(str(error)) from None
