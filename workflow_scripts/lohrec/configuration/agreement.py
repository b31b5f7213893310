"""Values of the configuration that are right one by one and cannot work together."""

from pathlib import Path

from lohrec.configuration import rows, sections
from lohrec.configuration.sections import Table, Values


def check(dataset: str, values: Values, variants: Table) -> None:
    """Refuse values that are right one by one and cannot work together.

    Args:
        values: all sections of the dataset.

    Raises:
        ValueError: they are such.
    """
    sections.check_multiples(values, f"datasets.{dataset}")
    for name, row in variants.items():
        check_row(dataset, name, row, values, variants)
    top, most = values["decoding"]["top"], max(values["evaluation"]["cutoffs"])
    if top < most:
        raise ValueError(
            f"datasets.{dataset}: decoding.top ({top}) is below evaluation.cutoffs ({most}): lists "
            "would end before they are measured."
        )
    if (beams := values["decoding"]["beams"]) < top:
        raise ValueError(
            f"datasets.{dataset}: decoding.beams ({beams}) is below decoding.top ({top}): a beam "
            "search finds no more items than it has beams."
        )
    if values["text"]["method"] == "llama" and not values["text"]["model"]:
        raise ValueError(
            f"datasets.{dataset}: text.method is llama, but text.model names no model; give a "
            "folder or a name on the hub."
        )
    if values["teacher"]["kind"] == "pretrained" and not values["adaptation"]["model"]:
        raise ValueError(
            f"datasets.{dataset}: teacher.kind is pretrained, but adaptation.model names no model; "
            "give a folder or a name on the hub, or choose teacher.kind: scratch."
        )
    used = {
        "text": values["text"]["method"] == "llama",
        "adaptation": values["teacher"]["kind"] == "pretrained",
    }
    for section in (name for name, read in used.items() if read):
        model = values[section]["model"]
        if not values[section]["revision"] and not Path(model).is_dir():
            raise ValueError(
                f"datasets.{dataset}: {section}.revision is null, and {section}.model {model!r} is "
                "no folder here. Give the 40 digits of its commit on the hub, or a folder."
            )
    tasks = values["tasks"]
    wanted = [task for task in ("preference", "intention") if tasks["mixture"].get(task)]
    if wanted and not tasks["user_texts"]:
        raise ValueError(
            f"datasets.{dataset}: tasks.mixture asks for {', '.join(wanted)}, which needs a "
            "file in tasks.user_texts."
        )


def check_row(dataset: str, name: str, row: Values, values: Values, variants: Table) -> None:
    """Refuse a row that cannot work together with others in a dataset.

    Args:
        values: all sections of the dataset.

    Raises:
        ValueError: it learns from a softmax over others than its own, ranks more candidates than
            there are, or starts from another network; or its own settings are no multiples where
            they have to be.
    """
    sections.check_multiples(rows.of_row(values, row), f"datasets.{dataset}, variant {name}")
    if not rows.is_trained(row):
        return
    of_teacher = values["probabilities"]["codewords"]
    network = rows.fitting(values, row)["network"]
    of_network = network.get("codewords", of_teacher)
    taught = "legal" if row["teacher"] else of_teacher
    unlike = of_network != taught and "all" in (of_network, taught)
    if "probabilities" in rows.loss_reads(row["loss"]) and unlike:
        theirs = f"of {row['teacher']}" if row["teacher"] else "probabilities.codewords"
        raise ValueError(
            f"datasets.{dataset}: networks.{row['network']}.codewords ({of_network}, variant "
            f"{name}) and those of its teacher ({theirs}: {taught}) must be alike: one softmax "
            "is over the codewords of all levels, the other over a level's."
        )
    own = rows.of_row(values, row)["losses"].get(rows.RANKING, {})
    ranked, kept = own.get("candidates") or 0, values["candidates"]["keep"]  # null: all
    if row["ranking"] and ranked > kept:
        raise ValueError(
            f"datasets.{dataset}, variant {name}: losses.{rows.RANKING}.candidates ({ranked}) is "
            f"above candidates.keep ({kept}): there are no more candidates to rank."
        )
    if row["start_from"]:
        start = rows.fitting(values, variants[row["start_from"]])["network"]
        if differ := [key for key in network if network[key] != start.get(key)]:
            raise ValueError(
                f"variants.{name} starts from {row['start_from']} and so has its network: give "
                f"both the same {', '.join(differ)} in `settings.networks`."
            )
