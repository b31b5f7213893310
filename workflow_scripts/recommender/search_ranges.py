"""Look for a row's settings in ranges, on the dev set, one fit a trial."""

from dataclasses import replace
from typing import Any

import yaml

from lohrec.common import artefacts, devices, job, tracking, unfinished
from lohrec.common.checkpoints import fingerprint
from lohrec.evaluation import tables
from lohrec.recommender import studies
from lohrec.recommender.inputs import Inputs
from lohrec.recommender.recommender import named


def main(
    inputs: dict[str, str],
    study: str,
    markdown: str,
    table: str,
    settings: dict[str, Any],
    tried: dict[str, Any],
    decoding: dict[str, Any],
    batch_size: int,
    dataset: str,
    variant: str,
    first: dict[str, int],
    code: dict[str, str],
    cuda: dict[str, Any],
    threads: int,
) -> None:
    """Write the study, and its trials as Markdown and as CSV.

    Args:
        inputs: all inputs of the rule, see `Inputs.read`.
        study: the SQLite file of Optuna to write.
        markdown, table: files to write.
        settings: `recommender` (a name), `history` (most items read) and the recommender's own.
        tried: `trials`, `ranges` (see `studies.search`) and `places` (see `studies.with_values`).
        decoding: of the section `decoding` what the result depends on.
        batch_size: dev users that are decoded at once.
        dataset, variant: what is fitted.
        first: `seed`, that of every fit.
        code: hashes of the program.
        cuda: GPUs to use.
        threads: of the CPU.

    Raises:
        ValueError: no trial could be fitted.
    """
    given = Inputs.read(
        inputs,
        settings["history"],
        decoding | {"batch_size": batch_size},
        devices.acquire(cuda, threads),
        unfinished.beside(study, "checkpoint"),
        code,
    )

    def attempt(chosen: studies.Chosen, trial: tracking.Trial) -> float:
        own = studies.with_values(settings, tried["places"], chosen)
        curve = named(own["recommender"]).fit(replace(given, trial=trial), own, first["seed"]).curve
        assert curve is not None  # for the row is trained in steps, see searches.studied
        return float(max(row[studies.MEASURE] for row in curve))

    excluded = given.decoding["exclude_history"]
    made_of = [settings, tried["ranges"], decoding, excluded, first, code]
    for read in inputs.values():
        made_of += [artefacts.fingerprint(p) for p in ([read] if isinstance(read, str) else read)]
    partial = unfinished.beside(study, "partial")
    found = studies.search(
        partial, f"{variant} {fingerprint(made_of)}", tried["ranges"], tried["trials"], attempt
    )
    rows = studies.rows(found)
    for row in rows:
        said = yaml.safe_dump(row["settings"], default_flow_style=True, width=1000)
        row["settings"] = said.strip()
    artefacts.write_text(table, tables.comma_separated([*rows[0]], [[*r.values()] for r in rows]))
    shown = []
    for row in rows:
        best = "" if row[studies.MEASURE] is None else f"{row[studies.MEASURE]:.4f}"
        row |= {"settings": f"`{row['settings']}`", studies.MEASURE: best}
        shown.append([str(value) for value in row.values()])
    page = (
        f"# {variant} on {dataset}: settings found on the dev set\n\n"
        "A trial is the row with these settings over its own, one seed, at its best step by "
        "NDCG@10. Those that were pruned were given up, for the reason that is named. No test user "
        "was looked at.\n\n" + tables.markdown([*rows[0]], shown)
    )
    artefacts.write_text(markdown, page)
    print(page)
    with artefacts.whole(study) as temporary:
        temporary.write_bytes(partial.read_bytes())


if __name__ == "__main__":
    job.run(main, snakemake)
