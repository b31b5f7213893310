# The configuration as rules read it. Where parameters could change places they are one dict, because
# Snakemake compares a job's parameters as a bag of values without names.

SCHEMA = Path(workflow.basedir) / "config/schemas/config.schema.yaml"
ADDED = len(workflow.overwrite_configfiles)  # by the command line; they come first, and count last

try:
    settings.check_arguments(sys.argv[1:])
    settings.check(config, SCHEMA, workflow.configfiles[ADDED:] + workflow.configfiles[:ADDED])
    settings.complete(config, SCHEMA)
    SETTINGS = settings.resolve(config)
    TRIALS = searches.trials(config["searches"], config["variants"], settings.schema(SCHEMA))
    TRIALS |= searches.swept(config["sweeps"], config["variants"], settings.schema(SCHEMA))
    STUDIED = searches.studied(config["studies"], config["variants"], settings.schema(SCHEMA))
    for option, target in zip(sys.argv, sys.argv[1:]):
        if option not in ("--lohrec-folder", "--report"):  # what these name may lie in results/
            targets.check(target, config["datasets"], config["variants"] | TRIALS)
except ValueError as error:
    raise WorkflowError(str(error))

# For the trainings of all jobs, of which no result depends on it.
os.environ[tracking.TOOL] = config["tracking"]
DATASETS, VARIANTS = config["datasets"], config["variants"] | TRIALS
COMPARED = rows.compared_rows(config["variants"])


def any_of(names):
    """A regular expression for one of `names`, or for nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=any_of(DATASETS),
    variant=any_of(VARIANTS),
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


def code(rule, modules=lambda wildcards: ()):
    """Hashes of a rule's script and of what it imports, as a parameter.

    A job runs again when its program changes, and not when a file is touched or a comment edited.

    Args:
        modules: kinds and names of the modules that the script finds by their name.
    """
    root = registry.LIBRARY.parent
    (script,) = root.glob(f"*/{rule}.py")
    record = Path(".snakemake/code_hashes")

    def hashes(wildcards):
        starts = [script, *(registry.path(*m) for m in modules(wildcards))]
        return code_hash.closure(starts, root, record)

    return hashes


def modules_of(wildcard):
    """The modules that the row named by a wildcard is made of, which scripts find by name."""
    return lambda wildcards: rows.modules(VARIANTS[wildcards[wildcard]], VARIANTS)


def cuda(rule):
    """A rule's GPUs, as a parameter.

    The name `resources` in the signature keeps it from being compared: a finished job stays
    finished when it would run on another device.
    """
    return lambda wildcards, resources: SETTINGS[wildcards.dataset]["cuda"][rule]


def at_once(section):
    """Examples or users that a job computes at once; see `cuda` for the name `resources`."""
    return lambda wildcards, resources: SETTINGS[wildcards.dataset][section]["batch_size"]


def gpus(rule):
    """The number of a rule's GPUs on all its nodes, as a resource."""

    def count(wildcards):
        cuda = SETTINGS[wildcards.dataset]["cuda"][rule]
        return cuda["count"] * cuda.get("nodes", 1)

    return count


def threads_of(rule):
    """The number of a rule's CPU threads."""
    return lambda wildcards: SETTINGS[wildcards.dataset]["threads"][rule]


def sizes_of(paths):
    """Bytes of files that are the user's own: a replacement older than the results shows here."""
    return {Path(path).name: Path(path).stat().st_size for path in paths}


def contents_of(paths):
    """Digests of raw files: a replacement of the same size and with an older date shows here."""
    return machine.contents(paths, "resources/digests.json")


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


def fitted(dataset, variant, seed, fold=None):
    """The file of a fitted recommender that names all others of its folder, with their digests.

    With a fold it is the one that has not learned from these users, where the row has folds.
    """
    folder = f"results/{dataset}/{variant}/seed_{seed}"
    if fold is not None and rows.folds(variant, VARIANTS) > 1:
        folder = f"{folder}/folds/{fold}"
    return f"{folder}/model/recommender.json"


def seeds(dataset, variant):
    """The seeds of a variant; a recommender that is the same for each has one."""
    every = DATASETS[dataset]["seeds"]
    return every if rows.has_trait(VARIANTS[variant], "seeded") else every[:1]


def largest_cutoff(wildcards):
    return max(SETTINGS[wildcards.dataset]["evaluation"]["cutoffs"])


def require_gpus():
    """Stop before the first job where jobs of this machine need GPUs that it does not have."""
    order = [rule.name for rule in workflow.rules]
    needs = {}
    for job in sorted(workflow.dag.needrun_jobs(), key=lambda job: order.index(job.rule.name)):
        need = job.params.cuda if "cuda" in job.params.keys() else {"count": 0}
        if need["count"]:
            step = job.wildcards.dataset, job.rule.name
            # Of jobs of several rows the one that needs most.
            needs[step] = max(
                needs.get(step, need), need, key=lambda n: (n["count"], n["memory_gb"])
            )
    if not needs or not workflow.local_exec:
        return
    try:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    sizes = [line.strip() for line in listed.splitlines()]
    found = [int(size) * 2**20 / 1e9 for size in sizes if size.isdecimal()]
    # GPUs that share the host's memory report no size of their own; their jobs will see.
    found += [math.inf for size in sizes if size in ("[N/A]", "[Not Supported]")]
    if missing := machine.lacking(needs, found, DATASETS, SETTINGS):
        raise WorkflowError(missing)


def remove_unfinished():
    """Remove what jobs have kept to go on from, where Snakemake has recorded their outputs."""
    dag = workflow.dag
    for job in dag.jobs:
        if dag.finished(job) or not dag.needrun(job):
            unfinished.remove(job.output)
