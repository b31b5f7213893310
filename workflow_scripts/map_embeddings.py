"""Maps of the items as each model embeds them, beside the teacher's (Figure 4, left)."""

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from scipy.linalg import orthogonal_procrustes
from sklearn.neighbors import NearestNeighbors

from lohrec import artefacts, charts, joblog, questions
from lohrec.t5 import T5, tokens
from lohrec.vocabulary import CODES, LEVELS, first_codeword

SEED = 0


def main(
    students: dict[str, str],
    teacher_model: str,
    ids: str,
    json: str,
    figure: str,
    dataset: str,
    neighbours: int,
) -> None:
    """Write embeddings.json and embeddings.png.

    An item's embedding is the mean of its codewords' embeddings. UMAP reduces each model's to two
    dimensions; a map is then scaled, and turned to lie on the teacher's as well as it can
    (Procrustes), for UMAP leaves both to chance. Maps of models of different widths cannot be
    compared point by point, so the figures are shares of neighbours in the full spaces.

    Args:
        students: {variant: model.safetensors}.
        teacher_model: model.safetensors of the teacher.
        ids: semantic_ids.npy.
        json, figure: the files to write.
        dataset: its name.
        neighbours: how many an item has.
    """
    from umap import UMAP  # takes seconds

    semantic = np.load(ids).astype(np.int64)
    embedded = {"teacher": of_teacher(Path(teacher_model).parent, semantic)}
    embedded |= {name: of_student(Path(path).parent, semantic) for name, path in students.items()}
    near = {name: nearest(vectors, neighbours) for name, vectors in embedded.items()}
    shared = {name: overlap(near[name], near["teacher"]) for name in students}
    chance = neighbours / (len(semantic) - 1)
    maps = {}
    for name, vectors in embedded.items():
        print(f"UMAP of {name}", flush=True)
        points = UMAP(random_state=SEED, n_jobs=1).fit_transform(vectors)
        points = (points - points.mean(0)) / points.std()
        turn = orthogonal_procrustes(points, maps.get("teacher", points))[0]
        maps[name] = points @ turn
    result = {"dataset": dataset, "items": len(semantic), "neighbours": neighbours}
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


@torch.no_grad()
def of_student(folder: Path, ids: np.ndarray) -> np.ndarray:
    """Mean embedding of every item's codewords, float32 (items, d_model)."""
    return T5.load(folder).shared(tokens(torch.from_numpy(ids))).mean(1).numpy()


def of_teacher(folder: Path, ids: np.ndarray) -> np.ndarray:
    """The same of a teacher, float32 (items, hidden)."""
    known = questions.words(folder)
    first = 0 if known is None else first_codeword(known[0])
    # Of a large model's file these rows alone.
    with safe_open(folder / "model.safetensors", "pt") as file:
        rows = file.get_slice("model.embed_tokens.weight")[first : first + LEVELS * CODES]
    return rows.float()[torch.from_numpy(ids + np.arange(LEVELS) * CODES)].mean(1).numpy()


def nearest(vectors: np.ndarray, count: int) -> np.ndarray:
    """The nearest items of every item by cosine, itself left out, (items, count)."""
    found = NearestNeighbors(n_neighbors=count, metric="cosine").fit(vectors)
    return found.kneighbors(return_distance=False)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Mean share of an item's neighbours that are among its others'."""
    return float((a[:, :, None] == b[:, None, :]).any(2).mean())


if __name__ == "__main__":
    with joblog.redirect(snakemake.log[0]):  # noqa: F821
        main(
            dict(zip(snakemake.params.variants, snakemake.input.students, strict=True)),  # noqa: F821
            snakemake.input.teacher,  # noqa: F821
            snakemake.input.ids,  # noqa: F821
            snakemake.output.json,  # noqa: F821
            snakemake.output.figure,  # noqa: F821
            snakemake.wildcards.dataset,  # noqa: F821
            snakemake.params.neighbours,  # noqa: F821
        )
