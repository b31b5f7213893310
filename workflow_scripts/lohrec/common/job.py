"""A script's call with what its rule declares: each parameter by its name."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

from lohrec.common import artefacts, job_log


def run(main: Callable[..., None], snakemake: Any) -> None:
    """Call a script's `main` while everything that it prints goes into the rule's log.

    An error names the inputs that cannot be opened, if there are some, in a note.

    Args:
        main: takes what `arguments` finds.
        snakemake: the job, as Snakemake hands it to a script.
    """
    with job_log.redirect(snakemake.log[0]):
        try:
            main(**arguments(main, snakemake))
        except Exception as error:
            named = paths(snakemake.input).values()
            for path in (p for one in named for p in ([one] if isinstance(one, str) else one)):
                if said := artefacts.damage(path):
                    error.add_note(
                        f"{path} is damaged ({said}): delete it and start again, which makes it "
                        "again; a raw file has to be fetched again."
                    )
            raise


def arguments(main: Callable[..., None], snakemake: Any) -> dict[str, Any]:
    """What each parameter of `main` is given by the job.

    A name is looked up among the rule's inputs, outputs, params, wildcards and `threads`. An input
    or output of several files is a list of paths; a wildcard is a number where `main` says `int`.
    `inputs` and `outputs` are all that have a name, {name: path or paths}.

    Raises:
        ValueError: a name has two values, or none and no default; it tells the rule and the name.
    """
    inputs, outputs = paths(snakemake.input), paths(snakemake.output)
    places = [
        {"inputs": inputs, "outputs": outputs, "threads": snakemake.threads},
        inputs,
        outputs,
        dict(snakemake.params.items()),
    ]
    given = {}
    for name, parameter in inspect.signature(main).parameters.items():
        values = [place[name] for place in places if name in place]
        values += [
            _converted(value, parameter.annotation)
            for wildcard, value in snakemake.wildcards.items()
            if wildcard == name
        ]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"Rule {snakemake.rule} declares {name!r} twice; rename one of: {values}."
            )
        if values:
            given[name] = values[0]
        elif parameter.default is inspect.Parameter.empty:
            raise ValueError(
                f"Rule {snakemake.rule} has no {name!r}, which its script takes: name an input, "
                "output or parameter so."
            )
    return given


def paths(files: Any) -> dict[str, str | list[str]]:
    """{name: path, or the paths of what was declared as several}."""
    return {
        name: str(value) if isinstance(value, str) else [str(path) for path in value]
        for name, value in files.items()
    }


def _converted(wildcard: str, annotation: Any) -> str | int:
    return int(wildcard) if int in (annotation, *get_args(annotation)) else wildcard
