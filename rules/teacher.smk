# The large recommender: its training, its unconstrained beams and its probabilities (3.1, 3.2, 4.2).
# Distillation and ranking wait for it, so its jobs go first.


def checked_settings(wildcards):
    """What the check of a language model reads."""
    parts = sections("teacher", "adaptation")(wildcards)
    return {
        "teacher": {"training": {"bf16": parts["teacher"]["training"]["bf16"]}},
        "adaptation": less(parts["adaptation"], ("vocabulary", "alpha")),
    }


def teacher_memory(wildcards, resources):
    """Memory of the GPU that trains the teacher; see `cuda` for the name `resources`."""
    return SETTINGS[wildcards.dataset]["cuda"]["train_teacher"]


# Waits for nothing, so that a model that cannot be had or does not fit is an error of the first
# minutes. (Were it an `ancient` input of the training, Snakemake 9 would leave out the training
# whenever this job runs again.)
rule check_language_model:
    input:
        model_folder("adaptation"),
    output:
        report="results/{dataset}/teacher/language_model.json",
    log:
        "logs/{dataset}/check_language_model.log",
    priority: 2
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("check_language_model"),
        settings=checked_settings,
        sizes=model_sizes("adaptation"),
        gpus=teacher_memory,
    script:
        "../workflow_scripts/teacher/check_language_model.py"


def reads_words(dataset):
    """Whether a dataset's teacher reads more than codewords."""
    return SETTINGS[dataset]["teacher"]["kind"] != "scratch"


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
            parts["teacher"] = less(parts["teacher"], ("network",))  # the checkpoint's own
            parts["adaptation"] = less(parts["adaptation"], ("vocabulary",))
        elif "adaptation" in parts:
            parts["adaptation"] = less(parts["adaptation"], ("model", "revision"))
        if folds:
            parts["sharding"] = section("sharding", without=("shards",))(wildcards)
        return parts

    return chosen


def repeats_are_left_out(wildcards):
    """Whether lists on the dev set leave out the items of a history."""
    return SETTINGS[wildcards.dataset]["decoding"]["exclude_history"]


rule train_teacher:
    input:
        unpack(words_of_teacher),
        model_folder("adaptation"),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
        statistics="results/{dataset}/data/statistics.json",
    output:
        model="results/{dataset}/teacher/model/model.safetensors",
        config="results/{dataset}/teacher/model/config.json",
        history="results/{dataset}/teacher/history.parquet",
    log:
        "logs/{dataset}/train_teacher.log",
    benchmark:
        "benchmarks/{dataset}/train_teacher.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("train_teacher")
    resources:
        gpu=gpus("train_teacher"),
        # Said of one too: else SLURM might take several GPUs on as many nodes.
        nodes=lambda wildcards: SETTINGS[wildcards.dataset]["cuda"]["train_teacher"]["nodes"],
        # The job begins on its first node, and starts a task on each (`processes.launch`).
        mpi=on_nodes(lambda cuda: "srun"),
        tasks=on_nodes(lambda cuda: cuda["nodes"]),
        tasks_per_gpu=on_nodes(lambda cuda: 0),
        # As many on each; of `gpu` alone SLURM might take more on one node than on another.
        gres=on_nodes(lambda cuda: f"gpu:{cuda['count']}" if cuda["count"] else None),
        mem_mb=memory("train_teacher"),
        runtime=runtime("train_teacher"),
    params:
        code=code("train_teacher"),
        settings=teacher_settings(folds=False),
        exclude_history=repeats_are_left_out,
        sizes=model_sizes("adaptation"),
        cuda=cuda("train_teacher"),
    script:
        "../workflow_scripts/teacher/train_teacher.py"


# One for each fold of the users, which has learned from all others.
use rule train_teacher as train_fold_teacher with:
    output:
        model="results/{dataset}/teacher/folds/{fold}/model/model.safetensors",
        config="results/{dataset}/teacher/folds/{fold}/model/config.json",
        history="results/{dataset}/teacher/folds/{fold}/history.parquet",
    log:
        "logs/{dataset}/train_fold_teacher/{fold}.log",
    benchmark:
        "benchmarks/{dataset}/train_fold_teacher/{fold}.tsv"
    params:
        code=code("train_teacher"),
        settings=teacher_settings(folds=True),
        exclude_history=repeats_are_left_out,
        sizes=model_sizes("adaptation"),
        cuda=cuda("train_teacher"),


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


rule generate_candidates:
    input:
        unpack(teacher_of_shard),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        beams="results/{dataset}/teacher/shards/{shard}/beams.npy",
    log:
        "logs/{dataset}/generate_candidates/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/generate_candidates/{shard}.tsv"
    priority: 1
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("generate_candidates")
    resources:
        gpu=gpus("generate_candidates"),
        mem_mb=memory("generate_candidates"),
        runtime=runtime("generate_candidates"),
    params:
        code=code("generate_candidates"),
        settings=sections("candidates", "sharding", without=("keep", "batch_size")),
        batch_size=at_once("candidates"),
        cuda=cuda("generate_candidates"),
    script:
        "../workflow_scripts/teacher/generate_candidates.py"


rule score_codewords:
    input:
        unpack(teacher_of_shard),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        probabilities="results/{dataset}/teacher/shards/{shard}/probabilities.npy",
    log:
        "logs/{dataset}/score_codewords/{shard}.log",
    benchmark:
        "benchmarks/{dataset}/score_codewords/{shard}.tsv"
    priority: 2  # before the candidates: all rows that distill wait for it
    conda:
        "../envs/lohrec.yaml"
    threads: threads_of("score_codewords")
    resources:
        gpu=gpus("score_codewords"),
        mem_mb=memory("score_codewords"),
        runtime=runtime("score_codewords"),
    params:
        code=code("score_codewords"),
        settings=sections("probabilities", "sharding", without=("batch_size",)),
        batch_size=at_once("probabilities"),
        cuda=cuda("score_codewords"),
    script:
        "../workflow_scripts/teacher/score_codewords.py"


def shards_of(wildcards):
    """An array of every shard, in order."""
    sharding = SETTINGS[wildcards.dataset]["sharding"]
    folder = f"results/{wildcards.dataset}/teacher/shards"
    every = range(sharding["folds"] * sharding["shards"])
    return [f"{folder}/{shard}/{wildcards.array}.npy" for shard in every]


rule gather_shards:
    input:
        shards=shards_of,
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
    output:
        gathered="results/{dataset}/teacher/{array}.npy",
    log:
        "logs/{dataset}/gather_shards/{array}.log",
    wildcard_constraints:
        array="|".join(rows.LESSONS),
    priority: 2  # all rows that distill wait for it
    conda:
        "../envs/lohrec.yaml"
    resources:
        mem_mb=memory("gather_shards"),
        runtime=runtime("gather_shards"),
    params:
        code=code("gather_shards"),
        settings=section("sharding"),
    script:
        "../workflow_scripts/teacher/gather_shards.py"
