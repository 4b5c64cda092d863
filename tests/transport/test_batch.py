"""Several problems at once."""

import numpy as np
import pytest

from skreg.transport import sparse_transport, sparse_transport_batch


def test_a_batch_is_its_problems_one_by_one():
    rng = np.random.default_rng(0)
    costs = rng.random((4, 12, 5))
    a, b = rng.dirichlet(np.ones(12), size=4), np.full(5, 0.2)
    for n_jobs in (None, 2):
        results = sparse_transport_batch(a, b, costs, max_nz=4, gamma=0.3, n_jobs=n_jobs)
        for index, result in enumerate(results):
            alone = sparse_transport(a[index], b, costs[index], max_nz=4, gamma=0.3)
            np.testing.assert_array_equal(result.plan.toarray(), alone.plan.toarray())


def test_what_is_wrong_is_told_with_the_number_of_the_problem():
    costs = np.ones((3, 4, 2))
    costs[1, 0, 0] = np.nan
    a, b = np.full(4, 0.25), np.full(2, 0.5)
    with pytest.raises(ValueError, match=r"problem 1: .*C contains NaN"):
        sparse_transport_batch(a, b, costs, max_nz=2)
    with pytest.raises(ValueError, match="three dimensions"):
        sparse_transport_batch(a, b, costs[0], max_nz=2)
    with pytest.raises(ValueError, match="a has 2 rows for 3 problems"):
        sparse_transport_batch(np.full((2, 4), 0.25), b, np.ones((3, 4, 2)), max_nz=2)
