# Ordered candidates of every train example: from the teacher (Eq. 15), or from Appendix B.


def corrected(wildcards):
    """The teacher's beams, for the one prior that is made from them."""
    beams = f"results/{wildcards.dataset}/teacher/beams.npy"
    return {"beams": beams} if wildcards.prior == "teacher" else {}


def kept(wildcards):
    """How many candidates a student learns from."""
    return {"keep": SETTINGS[wildcards.dataset]["candidates"]["keep"]}


rule order_candidates:
    input:
        unpack(corrected),
        sequences="results/{dataset}/data/sequences.npy",
        examples="results/{dataset}/data/examples.parquet",
        ids="results/{dataset}/ids/semantic_ids.npy",
    output:
        candidates="results/{dataset}/priors/{prior}.npy",
        report="results/{dataset}/priors/{prior}.json",
    log:
        "logs/{dataset}/order_candidates/{prior}.log",
    wildcard_constraints:
        prior="teacher|distance|cooccurrence",
    conda:
        "../envs/lohrec.yaml"
    params:
        code=code("order_candidates"),
        settings=kept,
    script:
        "../workflow_scripts/recommender/order_candidates.py"
