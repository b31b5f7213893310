"""k-means whose centres are a function of its seed alone."""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits


def kmeans(
    points: np.ndarray, clusters: int, seed: int, starts: int = 1, rounds: int = 300
) -> KMeans:
    """Fit k-means to points, float (points, dimensions), on one thread.

    scikit-learn's threads add their sums in the order in which they end, so that centres of several
    threads differ from run to run.

    Args:
        clusters: how many there are; fewer where fewer points differ.
        seed: of the first centres.
        starts: of which the best is taken.
        rounds: of a start, at most.
    """
    fitted = KMeans(clusters, n_init=starts, max_iter=rounds, random_state=seed)
    with threadpool_limits(1, "openmp"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fitted.fit(points)
