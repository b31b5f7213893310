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


def section(name):
    """A section of the dataset's settings, as a parameter."""
    return lambda wildcards: SETTINGS[wildcards.dataset][name]


def code(rule):
    """Hashes of a rule's script and of what it imports, as a parameter.

    A job runs again when its program changes, and not when a file is touched or a comment edited.
    """
    root = Path(workflow.basedir) / "workflow_scripts"
    return lambda wildcards: code_hash.closure(root / f"{rule}.py", root)


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
    return config["threads"].get(rule, 1)


def seeds(dataset, variant):
    """The seeds of a variant; what has no trained generator is the same for each, so has one."""
    every = DATASETS[dataset]["seeds"]
    return every if VARIANTS[variant]["recommender"] in ("generator", "cascade") else every[:1]


def require_gpus():
    """Stop before the first job where jobs of this machine need GPUs that it does not have."""
    needs = {
        (job.wildcards.dataset, job.rule.name): need
        for job in workflow.dag.needrun_jobs()
        if "cuda" in job.params.keys()
        for need in [SETTINGS[job.wildcards.dataset]["cuda"][job.rule.name]]
        if need["count"]
    }
    if not needs or not workflow.local_exec:
        return
    try:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    found = [int(line) * 2**20 / 1e9 for line in listed.split()]
    if missing := settings.lacking(needs, found, DATASETS, SETTINGS):
        raise WorkflowError(missing)
