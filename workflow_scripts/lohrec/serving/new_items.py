"""New items in a trained recommender: they get identifiers, and nothing is trained again."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lohrec.common.artefacts import link, read_json, whole_folder, write_json
from lohrec.configuration import registry
from lohrec.data.catalogue import Catalogue
from lohrec.identifiers import collisions, rqvae, store, text_encoder
from lohrec.identifiers.codewords import filled
from lohrec.recommender.inputs import CPU
from lohrec.recommender.places import FILE, home
from lohrec.recommender.recommender import ITEMS, digests
from lohrec.serving import description, item_files, model_card
from lohrec.serving.item_files import NewItem

# What was measured without the new items: figures of another recommender than the grown one.
MEASURED = {model_card.CARD, description.METRICS}


def add(model: str | Path, items: Sequence[NewItem], output: str | Path) -> np.ndarray:
    """Write a recommender that knows new items too.

    Each gets the identifier nearest to its text that is free, one after the other; the identifiers
    of all others stay. A new item is as probable as those are that share its first codewords and
    are like it (`identifiers.mixtures.WithNew`), and counts as never bought. Unchanged files are
    linked where the file system can; the card and the figures of the old one stay behind.

    Args:
        model: the folder of a recommender; it stays as it is.
        items: not yet in it.
        output: a folder that is not there, or empty.

    Returns:
        int (items, levels), their identifiers.

    Raises:
        ValueError: the recommender cannot take new items, knows one already, or would hold its own
            successor.
        FileExistsError: `output` holds something.
    """
    model, output = home(model), Path(output)
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output} is not empty; name a new folder, or empty it first.")
    if output.resolve().is_relative_to(model.resolve()):
        raise ValueError(f"{output} is in the recommender's own folder; name one elsewhere.")
    _check_takes_items(model)
    catalogue = Catalogue.load(model / ITEMS)
    item_files.check_new(items, catalogue)
    old = _identifiers(model)
    new = _place(model, items, old)
    grown = Catalogue(
        catalogue.names + [item.name for item in items],
        catalogue.titles + [item.title for item in items],
        np.append(catalogue.count, np.zeros(len(items), np.int64)),
    )
    with whole_folder(output) as temporary:
        shutil.copytree(
            model,
            temporary,
            ignore=lambda folder, _: MEASURED if Path(folder) == model else set(),
            copy_function=link,
            dirs_exist_ok=True,
        )
        _grow(temporary, grown, np.concatenate([old, new]), len(items))
    return new


def _check_takes_items(model: Path) -> None:
    for folder in [model, *(path.parent for path in sorted(model.rglob(f"*/{FILE}")))]:
        kind = read_json(folder / FILE)["recommender"]
        if "takes_items" not in (registry.declared("recommender", kind, "TRAITS") or ()):
            raise ValueError(
                f"{folder} is a recommender of the kind {kind!r}, which learns each item by itself "
                "and can take no new ones. Fit it again, or add them to a generative one."
            )


def _identifiers(model: Path) -> np.ndarray:
    """Those of the recommender, which all its parts share."""
    every = [store.load(path.parent) for path in sorted(model.rglob(store.FILE))]
    if not all(np.array_equal(every[0], ids) for ids in every):
        raise ValueError(f"The parts of {model} have other identifiers; fit them again.")
    return every[0]


def encoders(model: Path) -> list[Path]:
    """The files of what made a recommender's text vectors: its own, or each of its parts'.

    Raises:
        ValueError: there are none.
    """
    found = sorted(model.rglob(f"{text_encoder.FOLDER}/{text_encoder.TEXT}"))
    if not found:
        raise ValueError(
            f"{model} has no folder {text_encoder.FOLDER}, so texts cannot become identifiers: "
            "its identifiers were made elsewhere, or not of texts."
        )
    return found


def _place(model: Path, items: Sequence[NewItem], ids: np.ndarray) -> np.ndarray:
    found = encoders(model)
    encoder = text_encoder.load(found[0])
    quantiser = rqvae.load(found[0].with_name(text_encoder.RQVAE))
    texts = [item.title for item in items], [item.description for item in items]
    vectors = torch.from_numpy(encoder.encode(*texts, CPU))
    levels = len(quantiser.codebooks)
    latents = rqvae.encode_all(quantiser, vectors)
    return filled(collisions.place(quantiser, latents, ids[:, :levels]))


def _grow(folder: Path, catalogue: Catalogue, ids: np.ndarray, added: int) -> None:
    """Put the new catalogue and identifiers into a recommender's folder, and into those in it."""
    for part in sorted(folder.glob(f"*/{FILE}")):
        _grow(part.parent, catalogue, ids, added)
    catalogue.save(folder / ITEMS)
    if (folder / store.FILE).is_file():
        trained = store.trained(folder)
        store.save(folder, ids, len(ids) - added if trained is None else trained)
    saved = read_json(folder / FILE)
    saved["made"]["added_items"] = saved["made"].get("added_items", 0) + added
    write_json(folder / FILE, saved | {"sha256": digests(folder)})
