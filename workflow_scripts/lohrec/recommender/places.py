"""Where recommenders are: in folders, or on a hub of models, from which only data is fetched."""

from pathlib import Path

from lohrec.common.artefacts import fingerprint, read_json

HUB, FILE, MODEL = "hub:", "recommender.json", "model"
# Numbers and words: no file of a kind that a program could be read from.
PATTERNS = ["*.json", "*.safetensors", "README.md"]


def home(folder: str | Path) -> Path:
    """The folder of a recommender: `folder` itself, the folder `model` in it, or that of its file;
    of hub:OWNER/NAME the one that `fetched` fetches.

    Raises:
        FileNotFoundError: none of them holds a recommender.
    """
    if str(folder).startswith(HUB):
        return fetched(str(folder))
    folder = Path(folder)
    for place in (folder, folder / MODEL, folder.parent if folder.name == FILE else folder):
        if (place / FILE).is_file():
            return place
    raise FileNotFoundError(
        f"{folder} holds no recommender: there is no {FILE} in it. A run of the workflow leaves "
        "one in results/DATASET/VARIANT/seed_SEED/model."
    )


def fetched(name: str) -> Path:
    """The folder of a recommender on the hub, downloaded once and kept in the hub's cache.

    Args:
        name: hub:OWNER/NAME, or hub:OWNER/NAME@REVISION with a branch, tag or commit.

    Raises:
        FileNotFoundError: the hub has no such recommender, or cannot be reached.
        ValueError: this is no name, or a file is not the one that was saved.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    place, _, revision = name.removeprefix(HUB).partition("@")
    try:
        folder = Path(snapshot_download(place, revision=revision or None, allow_patterns=PATTERNS))
    except HFValidationError:
        raise ValueError(f"{name} is no name of a model: it is hub:OWNER/NAME.") from None
    # What the hub raises derives from OSError, but for the transport's own errors.
    except Exception as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        raise FileNotFoundError(
            f"{name} cannot be fetched: {reason} Check the name, and log in with `hf auth login` "
            "where it is private."
        ) from error
    if not (folder / FILE).is_file():
        raise FileNotFoundError(f"{name} holds no recommender: there is no {FILE} in it.")
    for file, digest in own_files(folder).items():
        path = folder / file
        if not path.is_file() or fingerprint(path)["sha256"] != digest:
            raise ValueError(
                f"{name}: {file} is not the file that was saved with this recommender. Do not use "
                "it; ask its owner to push it again."
            )
    return folder


def own_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of the files that make a recommender, by their paths in its folder.

    Raises:
        ValueError: one lies elsewhere, so that somebody else's file would be taken for its own.
    """
    found: dict[str, str] = read_json(folder / FILE)["sha256"]
    for name in found:
        if not (folder / name).absolute().is_relative_to(folder.absolute()) or ".." in name:
            raise ValueError(f"{folder / FILE} names {name}, which is not in its folder.")
    return found
