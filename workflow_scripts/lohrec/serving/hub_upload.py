"""A recommender's folder and its card onto a hub of models."""

from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HFValidationError

from lohrec.recommender.places import FILE, MODEL, home, own_files
from lohrec.recommender.recommender import CURVE
from lohrec.serving import description, model_card


def push(model: str | Path, repository: str, public: bool) -> str:
    """Upload all files of a recommender, its card, and the figures that `lohrec show` prints.

    The card is the README.md in its folder, or the one that the workflow left beside a folder
    `model`; without one, what the folder itself tells.

    Args:
        model: the folder of a recommender.
        repository: OWNER/NAME; made where it is not there.
        public: whether anybody may see a repository that this makes.

    Returns:
        The address of the commit.

    Raises:
        FileNotFoundError: the folder holds no recommender.
        ValueError: the recommender names files elsewhere; or the hub takes no such name, or not
            from this user.
    """
    folder = home(model)
    names = [FILE, CURVE, *own_files(folder)]
    files: dict[str, Path | bytes] = {
        name: folder / name for name in names if (folder / name).is_file()
    }
    if metrics := description.metrics(folder):
        files[description.METRICS] = metrics
    # Beside a folder of another name lies whatever people have there.
    places = (folder, folder.parent) if folder.name == MODEL else (folder,)
    cards = (place / model_card.CARD for place in places)
    card = next((path for path in cards if path.is_file()), None)
    files[model_card.CARD] = card or model_card.text(folder).encode()
    added = [CommitOperationAdd(name, file) for name, file in files.items()]
    try:
        hub = HfApi()
        hub.create_repo(repository, private=not public, exist_ok=True)
        done = hub.create_commit(repository, added, commit_message="A recommender of LOHRec")
    except HFValidationError as error:
        raise ValueError(f"{repository!r} is no name of a model: it is OWNER/NAME.") from error
    # What the hub raises derives from OSError, but for the transport's own errors.
    except Exception as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ValueError(
            f"{repository} was not pushed: {reason} Log in with `hf auth login`, with a token that "
            "may write."
        ) from error
    return done.commit_url
