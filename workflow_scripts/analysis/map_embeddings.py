"""Maps of the items as each model embeds them, beside the teacher's (Figure 4, left)."""

from lohrec.common import artefacts, job
from lohrec.evaluation import charts, embedding_maps
from lohrec.identifiers import store
from lohrec.recommender.recommender import item_vectors


def main(
    models: list[str],
    teacher: str,
    ids: str,
    json: str,
    figure: str,
    dataset: str,
    variants: list[str],
    neighbours: int,
) -> None:
    """Write embeddings.json and embeddings.png.

    Maps of models of different widths cannot be compared point by point, so the figures are shares
    of neighbours in the full spaces.

    Args:
        models: recommender.json of each variant.
        teacher: that of the teacher.
        ids: semantic_ids.npy.
        json, figure: the files to write.
        dataset: its name.
        variants: their names.
        neighbours: how many an item has.
    """
    semantic = store.load_ids(ids)
    embedded = {"teacher": item_vectors(teacher)}
    for name, path in zip(variants, models, strict=True):
        embedded[name] = item_vectors(path)
    near = {name: embedding_maps.nearest(vectors, neighbours) for name, vectors in embedded.items()}
    shared = {name: embedding_maps.overlap(near[name], near["teacher"]) for name in variants}
    chance = neighbours / (len(semantic) - 1)
    result: dict = {"dataset": dataset, "items": len(semantic), "neighbours": neighbours}
    result |= {"shared_with_teacher": shared, "by_chance": chance}
    print(result)
    artefacts.write_json(json, result)
    captions = {"teacher": "teacher"}
    captions |= {
        name: f"{name}: {share:.1%} of neighbours shared" for name, share in shared.items()
    }
    with artefacts.whole(figure) as temporary:
        panels = {captions[name]: points for name, points in embedding_maps.maps(embedded).items()}
        charts.scatter(temporary, f"{dataset}, items by first codeword", panels, semantic[:, 0])


if __name__ == "__main__":
    job.run(main, snakemake)
