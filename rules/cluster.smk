# What jobs ask of their machine, and what is asked before the first job: whether the disk has room;
# and of a cluster how jobs end, whether an earlier run has left some, and whether each step could
# start at all.


# Minutes that every partition in use leaves a job, once the cluster has been asked.
PATIENCE = []
# Rules whose jobs are each of a row of variants.
OF_A_ROW = ("fit", "recommend", "teach")


def memory(rule):
    """Memory of a job's machine in MB, as a resource: of its files, its network, and the attempt.

    A recommender's weights lie beside the file that a rule names. Of a language model the network's
    own demands have them, and fits for folds teach one after another.
    """

    def megabytes(wildcards, input, attempt):
        step, gpus = step_of(rule, wildcards)
        values, checked = SETTINGS[wildcards.dataset], checked_model(wildcards)
        row = VARIANTS[wildcards.variant] if rule in OF_A_ROW else {}
        items = facts(f"results/{wildcards.dataset}/data/statistics.json").get("items", 0)
        of_row = (row.get("recommender", ""), items)
        network, files = demands.network(step, values, gpus, checked, *of_row), [*map(str, input)]
        models = [path.parent for path in map(Path, files) if path.name == "recommender.json"]
        counted = [] if step == "recommend_teacher" else models[:1] if rule == "teach" else models
        files += [str(path) for folder in counted for path in folder.rglob("*.safetensors")]
        return demands.megabytes(files, network, gpus, attempt)

    return megabytes


def runtime(rule, beams=None):
    """A job's time limit in minutes, as a resource: of its data, its network, and the attempt.

    Args:
        beams: how many a user are searched, from the wildcards, where decoding.beams does not say.
    """

    def minutes(wildcards, threads, attempt):
        step, gpus = step_of(rule, wildcards)
        row = VARIANTS[wildcards.variant] if rule in OF_A_ROW else {}
        values = rows.of_row(SETTINGS[wildcards.dataset], row)
        if beams is not None:
            values = values | {"decoding": values["decoding"] | {"beams": beams(wildcards)}}
        found = facts(f"results/{wildcards.dataset}/data/statistics.json")
        operations = demands.operations(step, values, row, found, checked_model(wildcards))
        nodes = values["cuda"].get(rule, {}).get("nodes", 1)
        every = threads * nodes, gpus * nodes
        first, now = (demands.minutes(operations, *every, n) for n in (1, attempt))
        # A retry that asks for more than its partition has would wait for ever.
        return max(first, min([now, *PATIENCE]))

    return minutes


def on_nodes(of):
    """A resource that the teacher's training has on several nodes alone.

    Args:
        of: what it is, from the settings of its GPUs.
    """

    def value(wildcards):
        cuda = SETTINGS[wildcards.dataset]["cuda"]["train_teacher"]
        return of(cuda) if cuda["nodes"] > 1 else None

    return value


def step_of(rule, wildcards):
    """A rule's step as the section `cuda` names it, and its GPUs on a node."""
    cuda = SETTINGS[wildcards.dataset]["cuda"]
    if rule in OF_A_ROW:
        used = rows.declared_of(VARIANTS[wildcards.variant], "GPU", {})
        named = used.get("recommend" if rule == "teach" else rule)
        return named if named == "recommend_teacher" else rule, cuda[named]["count"] if named else 0
    return rule, cuda[rule]["count"] if rule in cuda else 0


def checked_model(wildcards):
    """What is known of a pretrained teacher; nothing before it has been looked at."""
    return facts(f"results/{wildcards.dataset}/teacher/language_model.json")


def facts(path):
    """A JSON object that estimates draw on; empty where there is none yet, or a damaged one."""
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def require_room():
    """Say how much disk the run takes, and stop before the first job where there is less."""
    needed, unread = 0, set()
    for job in workflow.dag.needrun_jobs():
        if dataset := job.wildcards.get("dataset"):
            if found := facts(f"results/{dataset}/data/statistics.json"):
                size = written(job, found) - unfinished.size(job.output)
                needed += max(0, math.ceil(size))
            else:
                unread.add(dataset)
    names = ", ".join(sorted(unread))
    try:
        if needed:
            others = f", without {names}, whose data are not read yet," if unread else ""
            disk.require("results", needed, f"This run{others}")
        elif unread:
            logger.info(f"How much disk the run takes is known when the data are read: {names}.")
    except OSError as error:
        raise WorkflowError(str(error))


def written(job, found):
    """Bytes that a job writes, see `demands.written`."""
    given, row = dict(job.wildcards.items()), {}
    values, what = SETTINGS[given["dataset"]], given.get("array") or given.get("lesson") or ""
    if job.rule.name in ("fit", "fit_fold", "search_ranges"):
        row = VARIANTS[given["variant"]]
        values = rows.of_row(values, row)
    checked = checked_model(job.wildcards)
    return demands.written(job.rule.name, what, values, row, found, checked)


def require_cluster():
    """Stop before the first job where SLURM could not run the jobs, or would run them twice."""
    if workflow.executor_plugin.name != "slurm":
        refuse_nodes()
        return
    given = workflow.executor_settings
    wanted, first_look = given.status_command, given.init_seconds_before_status_checks
    try:
        given.status_command = cluster.status_command(wanted, first_look)
        if given.status_command != wanted:
            logger.info("SLURM keeps no accounts here: squeue tells how jobs end.")
        cluster.refuse_left_behind(Path(workflow.workdir_init))
        sent = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
        partitions = {job: partition_of(job) for job in sent}
        limits = [cluster.time_limit(named) for named in set(partitions.values())]
        PATIENCE.extend(limit for limit in limits if limit is not None)
        requests = {}
        for job, named in partitions.items():
            job.attempt = job.attempt  # it asks anew: a study for no more minutes than there are
            requests.setdefault(request_of(job, named), []).append(job.rule.name)
        cluster.refused(requests)
    except ValueError as error:
        raise WorkflowError(str(error))


def refuse_nodes():
    """Stop before the first job where one is to run on several nodes, and nobody gives them."""
    for job in workflow.dag.needrun_jobs():
        if (nodes := job.resources.get("nodes", 1)) > 1:
            raise WorkflowError(
                f"{job.wildcards.dataset}: cuda.train_teacher.nodes is {nodes}, and SLURM alone gives "
                "a job several nodes. Start with --workflow-profile profiles/slurm, or set it to 1."
            )


def partition_of(job):
    """The partition that the executor sends a job to; None for the cluster's default."""
    named = job.resources.get("slurm_partition")
    by_file = os.environ.get("SNAKEMAKE_SLURM_PARTITIONS")
    file = workflow.executor_settings.partition_config or by_file
    if named or not file:
        return named
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    silent = logging.getLogger("lohrec.partitions")  # the executor says what it takes
    silent.disabled = True
    return get_best_partition(read_partition_file(Path(file)), job, silent)


def request_of(job, partition):
    """What a job asks of SLURM: arguments of sbatch, as the executor makes them."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    account = job.resources.get("slurm_account")
    params = {
        "account": f"-A {account}" if account else "",
        "partition": f"-p {partition}" if partition else "",
    }
    params |= {"run_uuid": "run", "slurm_logfile": "log", "comment_str": "step", "workdir": ""}
    call = get_submit_command(job, params, workflow.executor_settings) + set_gres_string(job)
    return " ".join(call.partition("--comment step")[2].split())
