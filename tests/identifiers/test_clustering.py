"""k-means by scikit-learn, as the seed alone decides it."""

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from lohrec.identifiers.clustering import kmeans

POINTS = np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)


def test_centres_are_the_same_whatever_threads_there_are() -> None:
    with threadpool_limits(1, "openmp"):
        alone = KMeans(64, n_init=1, max_iter=30, random_state=0).fit(POINTS)
    with threadpool_limits(4, "openmp"):
        found = [kmeans(POINTS, 64, 0, rounds=30).cluster_centers_ for _ in range(4)]
    assert all(np.array_equal(centres, alone.cluster_centers_) for centres in found)


def test_fewer_clusters_than_asked_for_are_no_warning(recwarn) -> None:
    label = kmeans(np.repeat(np.eye(3), 4, axis=0), 5, 0).labels_
    assert len(set(label.tolist())) == 3 and not recwarn.list
