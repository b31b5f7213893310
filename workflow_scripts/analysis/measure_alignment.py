"""Coverage and Coordination of every generator's lists with the teacher's (4.6, Figure 4)."""

import numpy as np

from lohrec.common import artefacts, job
from lohrec.data.examples import read_examples
from lohrec.evaluation import alignment, charts, tables


def main(
    students: list[str],
    teacher: str,
    sequences: str,
    examples: str,
    ids: str,
    json: str,
    markdown: str,
    figure: str,
    dataset: str,
    variants: list[str],
    settings: dict,
) -> None:
    """Write alignment.json, alignment.md and alignment.svg for the test users.

    Args:
        students: recommendations.parquet of each variant.
        teacher: recommendations.parquet of the teacher.
        sequences, examples, ids: sequences.npy, examples.parquet, semantic_ids.npy.
        json, markdown, figure: the three files to write.
        dataset: its name.
        variants: their names.
        settings: `top`, length of the lists, and `resamples` of the bootstrap over users.
    """
    top = settings["top"]
    users = read_examples(sequences, examples, "test").user
    items = len(np.load(ids, mmap_mode="r"))
    lists = {
        name: alignment.first_items(path, users, items, top)
        for name, path in zip(variants, students, strict=True)
    }
    wanted = alignment.first_items(teacher, users, items, top)
    result = alignment.against_teacher(lists, wanted, settings["resamples"])
    artefacts.write_json(
        json, {"dataset": dataset, "users": len(users), "top": top, "variants": result}
    )
    rows = [
        [name, *(f"{own[m]['mean']:.4f} [{own[m]['low']:.4f}, {own[m]['high']:.4f}]" for m in own)]
        for name, own in result.items()
    ]
    page = "\n\n".join(
        [
            f"# {dataset}: lists of {top} against the teacher's, {len(users):,} test users",
            tables.markdown(["variant", "Coverage", "Coordination"], rows),
            f"Coverage: share of the teacher's {top} items that the variant lists too. "
            f"Coordination: longest\ncommon subsequence of the two lists over {top}. "
            f"In brackets: {alignment.LEVEL:.0%} bootstrap intervals over users.",
        ]
    )
    print(page)
    artefacts.write_text(markdown, page + "\n")
    with artefacts.whole(figure) as temporary:
        charts.bars(temporary, f"{dataset}, against the teacher's top {top}", result)


if __name__ == "__main__":
    job.run(main, snakemake)
