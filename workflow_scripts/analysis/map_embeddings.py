"""Maps of the items as each model embeds them, beside the teacher's (Figure 4, left)."""

from pathlib import Path

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.neighbors import NearestNeighbors

from lohrec.common import artefacts, job
from lohrec.evaluation import charts
from lohrec.recommender.item_embeddings import of_generator, of_teacher

SEED = 0


def main(
    students: list[str],
    teacher: str,
    ids: str,
    json: str,
    figure: str,
    dataset: str,
    variants: list[str],
    neighbours: int,
) -> None:
    """Write embeddings.json and embeddings.png.

    UMAP reduces each model's embeddings to two dimensions; a map is then scaled, and turned to lie
    on the teacher's as well as it can (Procrustes), for UMAP leaves both to chance. Maps of models
    of different widths cannot be compared point by point, so the figures are shares of neighbours
    in the full spaces.

    Args:
        students: model.safetensors of each variant.
        teacher: model.safetensors of the teacher.
        ids: semantic_ids.npy.
        json, figure: the files to write.
        dataset: its name.
        variants: their names.
        neighbours: how many an item has.
    """
    from umap import UMAP  # takes seconds

    semantic = np.load(ids).astype(np.int64)
    embedded = {"teacher": of_teacher(Path(teacher).parent, semantic)}
    for name, path in zip(variants, students, strict=True):
        embedded[name] = of_generator(Path(path).parent, semantic)
    near = {name: nearest(vectors, neighbours) for name, vectors in embedded.items()}
    shared = {name: overlap(near[name], near["teacher"]) for name in variants}
    chance = neighbours / (len(semantic) - 1)
    maps: dict[str, np.ndarray] = {}
    for name, vectors in embedded.items():
        print(f"UMAP of {name}", flush=True)
        points = UMAP(random_state=SEED, n_jobs=1).fit_transform(vectors)
        points = (points - points.mean(0)) / points.std()
        turn = orthogonal_procrustes(points, maps.get("teacher", points))[0]
        maps[name] = points @ turn
    result: dict = {"dataset": dataset, "items": len(semantic), "neighbours": neighbours}
    result |= {"shared_with_teacher": shared, "by_chance": chance}
    print(result)
    artefacts.write_json(json, result)
    captions = {"teacher": "teacher"}
    captions |= {
        name: f"{name}: {share:.1%} of neighbours shared" for name, share in shared.items()
    }
    with artefacts.whole(figure) as temporary:
        panels = {captions[name]: points for name, points in maps.items()}
        charts.scatter(temporary, f"{dataset}, items by first codeword", panels, semantic[:, 0])


def nearest(vectors: np.ndarray, count: int) -> np.ndarray:
    """The nearest items of every item by cosine, itself left out, (items, count)."""
    found = NearestNeighbors(n_neighbors=count, metric="cosine").fit(vectors)
    return found.kneighbors(return_distance=False)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean share of an item's neighbours that are among its others'."""
    return float((a[:, :, None] == b[:, None, :]).any(2).mean())


if __name__ == "__main__":
    job.run(main, snakemake)
