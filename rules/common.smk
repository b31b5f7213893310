# The configuration as rules read it. Parameters are one dict each, because Snakemake compares a
# job's parameters as a bag of values without names.

SCHEMA = Path(workflow.basedir) / "config/schemas/config.schema.yaml"

try:
    settings.check(config, SCHEMA)
    validate(config, str(SCHEMA))  # fills defaults
    SETTINGS = settings.resolve(config, SCHEMA)
    for target in sys.argv[1:]:
        settings.check_target(target, config["datasets"], config["variants"])
except ValueError as error:
    raise WorkflowError(str(error))

DATASETS, VARIANTS = config["datasets"], config["variants"]
TRAINED = [name for name, row in VARIANTS.items() if settings.trained(row)]
REPORTED = [name for name, row in VARIANTS.items() if row["recommender"]]


def any_of(names):
    """A regular expression for one of `names`, or for nothing if there are none."""
    return "|".join(names) or "(?!)"


def of_source(*sources):
    return any_of(name for name, row in DATASETS.items() if row["source"] in sources)


def recommended_by(recommender):
    return any_of(name for name in REPORTED if VARIANTS[name]["recommender"] == recommender)


wildcard_constraints:
    dataset=any_of(DATASETS),
    variant=any_of(REPORTED),
    generator=any_of(TRAINED),
    seed=r"\d+",
    fold=r"\d+",
    shard=r"\d+",
    beams=r"\d+",


def section(name, without=()):
    """A section of the dataset's settings, less what the rule does not read, as a parameter."""
    return lambda wildcards: less(SETTINGS[wildcards.dataset][name], without)


def sections(*names, without=()):
    """Several sections by name, less what the rule does not read, as one parameter."""
    return lambda wildcards: {name: section(name, without)(wildcards) for name in names}


def less(values, names):
    return {name: value for name, value in values.items() if name not in names}


def code(rule):
    """Hashes of a rule's script and of what it imports, as a parameter.

    A job runs again when its program changes, and not when a file is touched or a comment edited.
    """
    root = Path(LIBRARY)
    (script,) = root.glob(f"*/{rule}.py")
    return lambda wildcards: code_hash.closure(script, root)


def cuda(rule):
    """A rule's GPUs, as a parameter.

    The name `resources` in the signature keeps it from being compared: a finished job stays
    finished when it would run on another device.
    """
    return lambda wildcards, resources: SETTINGS[wildcards.dataset]["cuda"][rule]


def gpus(rule):
    """The number of a rule's GPUs, as a resource."""
    return lambda wildcards: SETTINGS[wildcards.dataset]["cuda"][rule]["count"]


def threads_of(rule):
    """The number of a rule's CPU threads."""
    return lambda wildcards: SETTINGS[wildcards.dataset]["threads"].get(rule, 1)


def raw_names(dataset, kind):
    """Names that a dataset's raw file may have; the first is that of a download."""
    row = DATASETS[dataset]
    source = config["sources"][row["source"]][kind]
    return [name.format(**row) for name in (source["file"], *source["also"])]


def found_raw(dataset, kind):
    """The path of a dataset's raw file, if it is there: other names count after a download."""
    name, *others = raw_names(dataset, kind)
    downloaded = f"resources/downloads/{name}"
    paths = [settings.find_raw(config["raw_dir"], name)]
    paths += [downloaded if Path(downloaded).exists() else None]
    paths += [settings.find_raw(config["raw_dir"], other) for other in others]
    return next(filter(None, paths), None)


def raw_file(kind):
    """The path of a dataset's raw file: in raw_dir if it is there, else where a rule puts it."""

    def path(wildcards):
        source = DATASETS[wildcards.dataset]["source"]
        if source == "simulated":
            return f"resources/simulated/{wildcards.dataset}/{kind}.json.gz"
        if found := found_raw(wildcards.dataset, kind):
            return found
        names = raw_names(wildcards.dataset, kind)
        if "url" in config["sources"][source][kind]:
            return f"resources/downloads/{names[0]}"
        raise WorkflowError(
            f"{wildcards.dataset} needs {' or '.join(names)}, which is neither in {config['raw_dir']} nor in a "
            "folder below it. Put it there, or name its folder: --config raw_dir=FOLDER."
        )

    return path


def measured_on(dataset, kind, path):
    """An artefact of `dataset`, or of the simulation where the dataset's raw file is not there."""

    def artefact(wildcards):
        found = found_raw(dataset, kind)
        return f"results/{dataset if found else 'demo'}/{path}"

    return artefact


def sizes_of(paths):
    """Bytes of files that are the user's own: a replacement older than the results shows here."""
    return {Path(path).name: Path(path).stat().st_size for path in paths}


def raw_sizes(*kinds):
    """The same of a dataset's raw files."""

    def sizes(wildcards):
        paths = [Path(raw_file(kind)(wildcards)) for kind in kinds]
        made_here = ("resources/downloads", "resources/simulated")
        return sizes_of(p for p in paths if not any(p.is_relative_to(here) for here in made_here))

    return sizes


def lcrec_sizes(wildcards):
    """The same of published sequences, with the text that may come with them."""
    return raw_sizes("inter")(wildcards) | sizes_of(published_text(wildcards).values())


def published_text(wildcards):
    """The file with text that may come with published sequences."""
    found = found_raw(wildcards.dataset, "item")
    return {"item": found} if found else {}


def downloads():
    """{file name: {"url": address, "sha256": expected digest or None}} of every dataset."""
    digests = {}
    for row in DATASETS.values():
        digests |= row["sha256"]
    return {
        name: {"url": source["url"].format(file=name), "sha256": digests.get(name)}
        for row in DATASETS.values()
        for source in config["sources"].get(row["source"], {}).values()
        if "url" in source
        for name in [source["file"].format(**row)]
    }


def reads_words(dataset):
    """Whether a dataset's teacher reads more than codewords."""
    return SETTINGS[dataset]["teacher"]["kind"] != "scratch"


def model_folder(section):
    """The files of a language model that is a folder here; one of the hub is pinned by its commit."""

    def files(wildcards):
        parts = SETTINGS[wildcards.dataset]
        used = {
            "text": parts["text"]["method"] == "llama",
            "adaptation": parts["teacher"]["kind"] == "pretrained",
        }
        if not used[section]:
            return []
        return sorted(
            str(path) for path in Path(parts[section]["model"]).glob("*") if path.is_file()
        )

    return files


def model_sizes(section):
    """Sizes of the files of a language model that is a folder here."""
    return lambda wildcards: sizes_of(model_folder(section)(wildcards))


def text_settings(wildcards):
    """What the section `text` says of the row's own method."""
    values = section("text")(wildcards)
    of_lsa = ("dimensions", "max_features", "seed")
    of_llama = ("model", "revision", "max_tokens", "batch_tokens", "dtype")
    return less(values, of_llama if values["method"] == "lsa" else of_lsa)


def words_of_teacher(wildcards):
    """What a teacher with words reads beyond the sequences."""
    if not reads_words(wildcards.dataset):
        return {}
    tasks = SETTINGS[wildcards.dataset]["tasks"]
    templates = Path(tasks["templates"])
    inputs = {
        "catalogue": f"results/{wildcards.dataset}/data/items.parquet",
        "templates": str(templates if templates.exists() else Path(workflow.basedir) / templates),
    }
    if tasks["user_texts"]:
        inputs["user_texts"] = tasks["user_texts"]
        inputs["users"] = f"results/{wildcards.dataset}/data/users.parquet"
    if SETTINGS[wildcards.dataset]["teacher"]["kind"] == "pretrained":
        inputs["checked"] = f"results/{wildcards.dataset}/teacher/language_model.json"
    return inputs


def teacher_settings(folds):
    """The sections that a teacher's training depends on, and nothing that it does not."""

    def chosen(wildcards):
        names = ["teacher"]
        names += ["adaptation", "tasks"] if reads_words(wildcards.dataset) else []
        parts = sections(*names)(wildcards)
        if parts["teacher"]["kind"] == "pretrained":
            shape = ("hidden", "layers", "heads", "intermediate", "dropout")  # the model's own
            parts["teacher"] = less(parts["teacher"], shape)
            parts["adaptation"] = less(parts["adaptation"], ("vocabulary",))
        elif "adaptation" in parts:
            parts["adaptation"] = less(parts["adaptation"], ("model", "revision"))
        if folds:
            parts["sharding"] = section("sharding", without=("shards",))(wildcards)
        return parts

    return chosen


def checked_settings(wildcards):
    """What the check of a language model reads."""
    parts = sections("teacher", "adaptation")(wildcards)
    return {
        "teacher": {"bf16": parts["teacher"]["bf16"]},
        "adaptation": less(parts["adaptation"], ("vocabulary", "alpha", "dropout")),
    }


def corrected(wildcards):
    """The teacher's beams, for the one prior that is made from them."""
    beams = f"results/{wildcards.dataset}/teacher/beams.npy"
    return {"beams": beams} if wildcards.prior == "llm" else {}


def kept(wildcards):
    """How many candidates a student learns from."""
    return {"keep": SETTINGS[wildcards.dataset]["candidates"]["keep"]}


def teacher_memory(wildcards, resources):
    """Memory of the GPU that trains the teacher; see `cuda` for the name `resources`."""
    return SETTINGS[wildcards.dataset]["cuda"]["train_teacher"]


def teacher_of_shard(wildcards):
    """The model that computes a shard: where there are folds, one that has not learned from it."""
    folder = f"results/{wildcards.dataset}/teacher"
    folds = SETTINGS[wildcards.dataset]["sharding"]
    if folds["folds"] > 1:
        fold = int(wildcards.shard) % folds["folds"]
        folder = f"results/{wildcards.dataset}/teacher/folds/{fold}"
    return {
        "model": f"{folder}/model/model.safetensors",
        "config": f"{folder}/model/config.json",
    }


def shards_of(wildcards):
    """An array of every shard, in order."""
    sharding = SETTINGS[wildcards.dataset]["sharding"]
    folder = f"results/{wildcards.dataset}/teacher/shards"
    every = range(sharding["folds"] * sharding["shards"])
    return [f"{folder}/{shard}/{wildcards.array}.npy" for shard in every]


def generator_model(dataset, generator, seed):
    return f"results/{dataset}/generators/{generator}/seed_{seed}/model.safetensors"


def learned_from(wildcards):
    """What a row's training reads beyond the sequences: only the artefacts that the row names."""
    row, results = VARIANTS[wildcards.generator], f"results/{wildcards.dataset}"
    inputs = {}
    if row["target"] == "teacher":
        inputs["teacher"] = f"{results}/teacher/probabilities.npy"
    if row["label"] != "target":
        inputs["beams"] = f"{results}/teacher/beams.npy"
    if row["prior"]:
        inputs["prior"] = f"{results}/priors/{row['prior']}.npy"
    if row["start_from"]:
        inputs["start"] = generator_model(wildcards.dataset, row["start_from"], wildcards.seed)
    return inputs


def generator_settings(wildcards):
    """The section `generator` with the row's own values, and the row's objective.

    What another row's objective reads is left out, so that only rows that use a value run again
    when it changes.
    """
    row = VARIANTS[wildcards.generator]
    objective = {name: row[name] for name in ("target", "label", "generation", "rank")}
    values = SETTINGS[wildcards.dataset]["generator"] | row["generator"]
    return less(values, settings.unread(row)) | objective


def training_decoding(wildcards):
    """What training reads of the section `decoding`: a ranker is tried on a retriever's lists."""
    orders_only = not VARIANTS[wildcards.generator]["generation"]
    without = ("top", "batch_size") if orders_only else ("top", "batch_size", "rerank")
    return section("decoding", without)(wildcards)


def decoded_at_once(wildcards, resources):
    """Users of the dev set that are decoded at once; see `cuda` for the name `resources`."""
    return SETTINGS[wildcards.dataset]["decoding"]["batch_size"]


def teacher_decoding(wildcards):
    """The section `decoding` in batches that a teacher's beams fit into."""
    found = section("decoding", without=("rerank",))(wildcards)
    return found | {"batch_size": SETTINGS[wildcards.dataset]["candidates"]["batch_size"]}


def roles(wildcards):
    """Which rows a cascade is made of; its inputs are compared as paths without names."""
    return {role: VARIANTS[wildcards.variant][role] for role in ("retriever", "ranker")}


def model_of(role):
    """The trained generator of the same seed that a cascade's row names for `role`."""
    return lambda wildcards: generator_model(
        wildcards.dataset, VARIANTS[wildcards.variant][role], wildcards.seed
    )


def seeds(dataset, variant):
    """The seeds of a variant; what has no trained generator is the same for each, so has one."""
    every = DATASETS[dataset]["seeds"]
    return every if VARIANTS[variant]["recommender"] in ("generator", "cascade") else every[:1]


def diversity_vectors(wildcards):
    """The item vectors that a dataset's diversity is measured on."""
    dataset = wildcards.dataset
    named = SETTINGS[dataset]["evaluation"]["diversity"]
    published = DATASETS[dataset]["source"] == "lcrec"
    if named == "text" and published and not published_text(wildcards):
        raise WorkflowError(
            f"{dataset} has no text to measure diversity on: there is no "
            f"{' or '.join(raw_names(dataset, 'item'))} in {config['raw_dir']}. Put it there, or set "
            f"evaluation: {{diversity: interactions}} in datasets.{dataset}.settings."
        )
    seed = wildcards.get("seed", DATASETS[dataset]["seeds"][0])
    return {
        "text": "results/{dataset}/text/embeddings.npy",
        "latent": "results/{dataset}/ids/latents.npy",
        "interactions": "results/{dataset}/data/interaction_vectors.npy",
        "model": f"results/{{dataset}}/{{variant}}/seed_{seed}/item_vectors.npy",
    }[named]


def recommending_model(wildcards):
    """The model that makes a variant's lists, or, of a cascade, orders them."""
    row = VARIANTS[wildcards.variant]
    if row["recommender"] == "popularity":
        raise WorkflowError(
            f"evaluation.diversity of {wildcards.dataset} is model, and {wildcards.variant} has no "
            "model that embeds items: take it out of the row's variants, or choose other vectors."
        )
    if row["recommender"] == "teacher":
        return f"results/{wildcards.dataset}/teacher/model/model.safetensors"
    generator = row["ranker"] if row["recommender"] == "cascade" else wildcards.variant
    return generator_model(wildcards.dataset, generator, wildcards.seed)


def per_user(dataset, variant):
    return [
        f"results/{dataset}/{variant}/seed_{seed}/per_user.parquet"
        for seed in seeds(dataset, variant)
    ]


def compared(wildcards):
    """{variant: per-user metrics of its seeds} of the variants that the dataset's row names."""
    names = DATASETS[wildcards.dataset].get("variants", REPORTED)
    return {name: per_user(*settings.owner(wildcards.dataset, name)) for name in names}


def reference(wildcards):
    """The variant that the others of a comparison are held against."""
    return DATASETS[wildcards.dataset]["reference"]


def analysed(wildcards):
    """The trained generators among the variants that a dataset's row compares."""
    dataset = wildcards.dataset
    names = DATASETS[dataset].get("variants", REPORTED)
    found = [n for n in names if n in VARIANTS and VARIANTS[n]["recommender"] == "generator"]
    if not found:
        raise WorkflowError(
            f"{dataset} compares no variant with a trained generator of its own, so there is nothing "
            f"to analyse; add one to datasets.{dataset}.variants."
        )
    return found


def first_model(file):
    """A file of the model of a variant's first seed."""
    return lambda wildcards: str(
        Path(
            generator_model(
                wildcards.dataset, wildcards.variant, DATASETS[wildcards.dataset]["seeds"][0]
            )
        ).with_name(file)
    )


def widths(wildcards):
    """Beam widths that are compared."""
    beams = SETTINGS[wildcards.dataset]["analysis"]["beams"]
    if (narrow := min(beams)) < (most := largest_cutoff(wildcards)):
        raise WorkflowError(
            f"{wildcards.dataset}: analysis.beams ({narrow}) is below evaluation.cutoffs ({most}): so "
            "narrow a beam finds no list to measure."
        )
    return beams


def largest_cutoff(wildcards):
    return max(SETTINGS[wildcards.dataset]["evaluation"]["cutoffs"])


def alignment_settings(wildcards):
    """How long lists are compared, and how often users are drawn again."""
    parts = SETTINGS[wildcards.dataset]
    return {"top": parts["decoding"]["top"], "resamples": parts["evaluation"]["resamples"]}


def cases_settings(wildcards):
    """How many users are shown, and how much of their lists."""
    number = SETTINGS[wildcards.dataset]["analysis"]["cases"]
    return {"cases": number, "cutoff": largest_cutoff(wildcards)}


def decoding_at_width(wildcards):
    """The section `decoding` with another beam width; no list is longer than that."""
    found, beams = section("decoding", without=("rerank",))(wildcards), int(wildcards.beams)
    return found | {"beams": beams, "top": min(found["top"], beams)}


def figures_at_widths(wildcards):
    """Metrics a user of every analysed variant at every width, variant by variant."""
    return [
        f"results/{wildcards.dataset}/analysis/{name}/beams_{beams}/per_user.parquet"
        for name in analysed(wildcards)
        for beams in widths(wildcards)
    ]


def invalid_beams(wildcards):
    folder = f"results/{wildcards.dataset}/analysis"
    return [f"{folder}/{name}/invalid.json" for name in analysed(wildcards)]


def lists(dataset, variant):
    """The lists of a variant's first seed."""
    return (
        f"results/{dataset}/{variant}/seed_{DATASETS[dataset]['seeds'][0]}/recommendations.parquet"
    )


def lists_of_generators(wildcards):
    return [lists(wildcards.dataset, name) for name in analysed(wildcards)]


def models_of_generators(wildcards):
    first = DATASETS[wildcards.dataset]["seeds"][0]
    return [generator_model(wildcards.dataset, name, first) for name in analysed(wildcards)]


def made_of(wildcards):
    """What a summary says about how its figures were made."""
    row, sections = DATASETS[wildcards.dataset], SETTINGS[wildcards.dataset]
    return {
        "preset": row["preset"],
        "source": row["source"],
        "category": row.get("category"),
        "variants": settings.rows_behind(wildcards.variant, VARIANTS),
        "settings": {
            name: values
            for name, values in sections.items()
            if name not in ("analysis", "cuda", "threads")
        },
    }


def require_gpus():
    """Stop before the first job where jobs of this machine need GPUs that it does not have."""
    order = [rule.name for rule in workflow.rules]
    needs = {
        (job.wildcards.dataset, job.rule.name): need
        for job in sorted(workflow.dag.needrun_jobs(), key=lambda job: order.index(job.rule.name))
        if "cuda" in job.params.keys()
        for need in [job.params.cuda]
        if need["count"]
    }
    if not needs or not workflow.local_exec:
        return
    try:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    # A GPU that shares the host's memory reports no size of its own.
    found = [int(line) * 2**20 / 1e9 for line in listed.split() if line.isdecimal()]
    if missing := settings.lacking(needs, found, DATASETS, SETTINGS):
        raise WorkflowError(missing)
