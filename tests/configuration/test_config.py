"""A row that names what is not there is refused with the names there are."""

import pytest
from shipped_config import merge, own

from lohrec.configuration import settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"datasets": {"demo": {"preset": "laptob"}}}, ["'laptob'", "Did you mean laptop?"]),
        ({"presets": {"demo": {"extends": "laptob"}}}, ["demo.extends", "Did you mean laptop?"]),
        ({"presets": {"laptop": {"extends": "demo"}}}, ["extends itself"]),
        ({"datasets": {"demo": {"variants": ["tigger"]}}}, ["'tigger'", "Did you mean tiger?"]),
        ({"datasets": {"demo": {"variants": ["ranker"]}}}, ["'ranker'", "tiger"]),
        ({"datasets": {"demo": {"variants": ["gamez/lcrec", "tiger"]}}}, ["'gamez'", "games"]),
        ({"datasets": {"demo": {"reference": "lcrec"}}}, ["demo.reference", "'lcrec'", "tiger"]),
        (
            {"datasets": {"games_older": {"category": "game_laptop"}}},
            ["datasets.games_older.category", "'game_laptop'", "Did you mean games_laptop?"],
        ),
        (
            {"datasets": {"games_older": {"category": "games_older"}}},
            ["datasets.games_older is made of itself: games_older -> games_older."],
        ),
        ({"variants": {"dwr": {"start_from": "dtr"}}}, ["variants.dwr.start_from", "distill"]),
        (
            {"datasets": {"movielens": own({"sources": {"table": {"interactions": None}}})}},
            ["datasets.movielens: name the file of interactions", "sources.table.interactions"],
        ),
        ({"variants": {"dtr": {"ranker": "rank"}}}, ["variants.dtr.ranker", "ranker"]),
        ({"variants": {"dtr": {"retriever": "p5_cid"}}}, ["variants.dtr", "identifiers"]),
        ({"variants": {"p5_cid": {"start_from": "tiger"}}}, ["variants.p5_cid", "identifiers"]),
        ({"variants": {"sasrec": {"folds": 2}}}, ["variants.ensemble", "folds"]),
        ({"variants": {"ensemble": {"members": ["p5_cid"]}}}, ["variants.ensemble", "identifiers"]),
        ({"variants": {"dwr": {"start_from": "dwr"}}}, ["made of itself: dwr -> dwr"]),
        ({"variants": {"distill": {"start_from": "dwr"}}}, ["is made of itself"]),
        (
            {"variants": {"ensemble": {"members": ["popularity"]}}},
            ["variants.ensemble.members", "'popularity'", "tiger_compact"],
        ),
        ({"variants": {"distill": {"teacher": "dtr"}}}, ["variants.distill.teacher", "'dtr'"]),
        (
            {
                "datasets": {
                    "instruments_lcrec": {"settings": {"evaluation": {"diversity": "latent"}}}
                }
            },
            ["instruments_lcrec", "diversity"],
        ),
        (
            {"variants": {"distill": own({"networks": {"t5": {"codewords": "all"}}})}},
            ["networks.t5.codewords", "distill", "probabilities.codewords"],
        ),
        ({"variants": {"dwr": own({"training": {"epochs": 3}})}}, ["variants.dwr", "epochs"]),
        (
            {"variants": {"tiger": own({"training": {"warm_epochs": 3}})}},
            ["training.warm_epochs", "no effect"],
        ),
        (
            {"variants": {"tiger": own({"losses": {"smoothed": {"smoothing": 0.2}}})}},
            ["tiger", "smoothing"],
        ),
        (
            {"variants": {"smooth": own({"losses": {"distilled": {"mixture": 0.5}}})}},
            ["smooth", "mixture"],
        ),
        (
            {"variants": {"distill": own({"losses": {"margin_ranking": {"margin": 0.2}}})}},
            ["distill", "margin"],
        ),
        (
            {"variants": {"tiger": own({"recommenders": {"teacher": {"constrained": False}}})}},
            ["variants.tiger", "constrained", "no effect"],
        ),
        ({"variants": {"tiger": own({"rqvae": {"training": {"epochs": 3}}})}}, ["rqvae.training"]),
        (
            {"variants": {"dwr": own({"networks": {"t5": {"d_model": 64}}})}},
            ["variants.dwr starts from distill", "d_model"],
        ),
        (
            {"datasets": {"games": own({"teacher": {"network": {"heads": 6}}})}},
            ["datasets.games: teacher.network.hidden (", "2 times teacher.network.heads (6)"],
        ),
        (
            {"datasets": {"games": own({"teacher": {"network": {"hidden": 300, "heads": 12}}})}},
            ["teacher.network.hidden (300) is no multiple of 2 times teacher.network.heads (12)"],
        ),
        (
            {"presets": {"laptop": {"networks": {"compact": {"width": 90}}}}},
            ["networks.compact.width (90) is no multiple of networks.compact.heads (4)"],
        ),
        (
            {"variants": {"sasrec": own({"recommenders": {"sasrec": {"heads": 3}}})}},
            ["variant sasrec: recommenders.sasrec.width (128)", "sasrec.heads (3): change one"],
        ),
        (
            {"variants": {"dwr": own({"losses": {"margin_ranking": {"candidates": 99}}})}},
            ["variant dwr: losses.margin_ranking.candidates (99)", "candidates.keep (16)"],
        ),
        (
            {"datasets": {"gift_cards": {"sha256": {"Gift_Card.json.gz": "0" * 64}}}},
            ["datasets.gift_cards.sha256: Gift_Card.json.gz", "Gift_Cards.json.gz"],
        ),
        (
            {"datasets": {"demo": {"sha256": {"Gift_Cards.json.gz": "0" * 64}}}},
            ["datasets.demo.sha256: Gift_Cards.json.gz", "downloads of this row are: none"],
        ),
        ({"datasets": {"demo": {"settings": {"decoding": {"top": 5}}}}}, ["top (5)", "cutoffs"]),
        (
            {"datasets": {"demo": {"settings": {"decoding": {"beams": 15}}}}},
            ["decoding.beams (15)", "decoding.top (20)"],
        ),
        ({"datasets": {"demo": {"settings": {"text": {"method": "llama"}}}}}, ["text.model"]),
        (
            {"datasets": {"games": own({"adaptation": {"model": None}})}},
            ["datasets.games", "adaptation.model names no model", "teacher.kind: scratch"],
        ),
        (
            {"datasets": {"games": own({"adaptation": {"revision": None}})}},
            ["datasets.games: adaptation.revision is null", "'huggyllama/llama-7b' is no folder"],
        ),
        (
            {"datasets": {"arts": own({"text": {"revision": None}})}},
            ["datasets.arts: text.revision is null", "commit on the hub, or a folder"],
        ),
        (
            {"datasets": {"games_gpu": {"settings": {"tasks": {"mixture": {"intention": 1.0}}}}}},
            ["games_gpu", "intention", "tasks.user_texts"],
        ),
        (
            {"datasets": {"demo": {"variants": ["games/lcrec", "tiger"]}}},
            ["games/lcrec", "demo and games must be alike in source, category"],
        ),
        (
            {
                "datasets": {
                    "games_laptop_words": {
                        "settings": {
                            "ingest": {"core": 10},
                            "decoding": {"top": 15},
                            "evaluation": {"cutoffs": [5], "diversity": "interactions"},
                        }
                    }
                }
            },
            [
                "games_laptop_words/lcrec is measured on something else",
                "ingest.core, settings.decoding.top, settings.evaluation.cutoffs, settings",
            ],
        ),
        (
            {"datasets": {"games_laptop_words": {"settings": {"text": {"dimensions": 9}}}}},
            ["alike in settings.text."],
        ),
        (
            {"datasets": {"games_laptop_words": {"settings": {"ingest": {"tie_seed": 1}}}}},
            ["alike in settings.ingest.tie_seed."],
        ),
    ],
)
def test_a_row_that_names_nothing_is_refused(config: dict, change: dict, words: list[str]) -> None:
    merge(config, change)
    with pytest.raises(ValueError) as error:
        settings.resolve(config)
    for word in words:
        assert word in str(error.value)


def test_a_source_without_texts_has_vectors_of_interactions(config: dict) -> None:
    assert settings.resolve(config)["movielens"]["text"]["method"] == "lsa"
    merge(config, {"datasets": {"movielens": own({"sources": {"table": {"items": None}}})}})
    resolved = settings.resolve(config)["movielens"]
    assert resolved["text"]["method"] == resolved["evaluation"]["diversity"] == "interactions"
