"""Maps of the items as each model embeds them, beside the teacher's (Figure 4, left)."""

import pyarrow.parquet as pq

from lohrec.common import artefacts, job
from lohrec.configuration.rows import ENDINGS
from lohrec.evaluation import charts, embedding_maps
from lohrec.recommender.recommender import item_vectors

MAPPED = ("smooth", "distill")  # as in the paper; all models where these are missing
GROUPS = 6


def main(
    models: list[str],
    teacher: str,
    catalogue: str,
    json: str,
    figure: list[str],
    dataset: str,
    variants: list[str],
    neighbours: int,
) -> None:
    """Write embeddings.json and the figure.

    Distances on a map say little, so the figures are of the full spaces. Neighbours are looked for
    among all pairs, so of very many items some are drawn for map and figures.

    Args:
        models: recommender.json of each variant.
        teacher: that of the teacher.
        catalogue: items.parquet.
        json: the file to write.
        figure: the same figure in several formats.
        dataset: its name.
        variants: their names.
        neighbours: how many an item has.
    """
    taught = item_vectors(teacher)
    every, drawn = len(taught), embedding_maps.drawn(len(taught))
    taught, neighbours = taught[drawn], min(neighbours, len(drawn) - 1)
    named = zip(variants, models, strict=True)
    embedded = {name: item_vectors(path)[drawn] for name, path in named}
    near = embedding_maps.nearest(taught, neighbours)
    alike = {
        name: {
            "neighbours_shared": embedding_maps.overlap(
                embedding_maps.nearest(vectors, neighbours), near
            ),
            "cka": embedding_maps.linear_cka(vectors, taught),
        }
        for name, vectors in embedded.items()
    }
    result: dict = {"dataset": dataset, "items": len(taught), "of": every}
    result |= {"neighbours": neighbours}
    result |= {"models": alike, "by_chance": neighbours / (len(taught) - 1)}
    print(result)
    artefacts.write_json(json, result)
    paths = pq.read_table(catalogue)["categories"].take(drawn).to_pylist()
    group = embedding_maps.categories(paths)
    by = "category"
    if not any(group):
        group = embedding_maps.clusters(taught, GROUPS)
        by = "cluster of the teacher's vectors"
    of_paper = {method + ending for method in MAPPED for ending in ENDINGS}
    chosen = [name for name in variants if name in of_paper] or variants
    points = embedding_maps.maps({"teacher": taught} | {name: embedded[name] for name in chosen})
    panels = {_headed(name, alike.get(name)): xy for name, xy in points.items()}
    of = "" if len(drawn) == every else f" of {every:,}"
    title = f"{dataset}, {len(drawn):,}{of} items by {by}"
    charts.scatter(figure, title, panels, group, embedding_maps.most_common(group, GROUPS))


def _headed(name: str, alike: dict[str, float] | None) -> str:
    """A model's name, with how near it is to the teacher."""
    if alike is None:
        return name
    return f"{name}: CKA {alike['cka']:.2f},\n{alike['neighbours_shared']:.0%} of neighbours"


if __name__ == "__main__":
    job.run(main, snakemake)
