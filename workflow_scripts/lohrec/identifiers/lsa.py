"""Latent semantic analysis: TF-IDF of words and word pairs, then a truncated SVD.

scikit-learn is imported where it is used: it takes most of a second, and recommenders, which load
this module with their encoders of texts, rarely need it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lohrec.identifiers import text_vectors

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer


class Lsa(NamedTuple):
    """A fitted analysis.

    Attributes:
        terms: words and word pairs, the columns of the TF-IDF matrix.
        idf: float32 (terms,), inverse document frequencies.
        components: float32 (dimensions, terms), right singular vectors.
    """

    terms: list[str]
    idf: np.ndarray
    components: np.ndarray

    def encode(
        self, titles: Sequence[str], descriptions: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (items, dimensions), rows of length 1, and bool (items,), those without.

        An item without any of the terms has no vector: zeros.
        """
        vectorizer = _vectorizer(vocabulary=self.terms)
        vectorizer.idf_ = self.idf
        frequency = vectorizer.transform(_joined(titles, descriptions))
        vectors = np.asarray(frequency @ self.components.T, dtype=np.float32)
        return text_vectors.unit(vectors), np.diff(frequency.indptr) == 0


def fit(
    titles: Sequence[str],
    descriptions: Sequence[str],
    dimensions: int,
    max_features: int,
    seed: int,
) -> tuple[np.ndarray, Lsa]:
    """Fit an analysis to all items.

    An item without text, or whose words all fell to `max_features`, gets the mean of the others;
    their number is printed.

    Args:
        titles: one an item; may be empty.
        descriptions: one an item; may be empty.
        dimensions: wanted; fewer come back where the items or the vocabulary are fewer.
        max_features: most frequent words and word pairs that count.
        seed: of the randomised SVD.

    Returns:
        Vectors, float32 (items, dimensions), rows of length 1, and what was fitted.

    Raises:
        ValueError: no item has text, or all texts together have one word.
    """
    from sklearn.decomposition import TruncatedSVD

    texts = _joined(titles, descriptions)
    vectorizer = _vectorizer(max_features=max_features)
    if not any(map(vectorizer.build_tokenizer(), texts)):
        raise text_vectors.no_text(len(texts))
    frequency = vectorizer.fit_transform(texts)
    if frequency.shape[1] < 2:
        raise text_vectors.all_alike(len(texts))
    size = min(dimensions, *frequency.shape)
    if size < dimensions:
        print(f"{size} dimensions instead of {dimensions}: items x terms are {frequency.shape}")
    svd = TruncatedSVD(size, random_state=seed)
    vectors = svd.fit_transform(frequency).astype(np.float32)
    empty = np.diff(frequency.indptr) == 0
    text_vectors.say_empty(empty)
    terms = vectorizer.get_feature_names_out().tolist()
    fitted = Lsa(terms, vectorizer.idf_.astype(np.float32), svd.components_.astype(np.float32))
    filled = text_vectors.fill_empty(text_vectors.unit(vectors), empty)
    return text_vectors.unit(filled), fitted


def _joined(titles: Sequence[str], descriptions: Sequence[str]) -> list[str]:
    return [f"{title}\n{text}" for title, text in zip(titles, descriptions, strict=True)]


def _vectorizer(**terms: Any) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    # One-character words count: they are what tells a sequel from its predecessor.
    return TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, 2),
        token_pattern=r"(?u)\b\w+\b",
        dtype=np.float32,
        **terms,
    )
