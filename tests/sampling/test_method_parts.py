"""What methods are given: embeddings, and the smoothed target."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import GaussianMixture
from wflow.sampling import SHK, ExactEmbedding, FredholmEmbedding, MeanShift


LAW = GaussianMixture([[0.0, 1.0]], 0.5)


def test_an_embedding_and_what_makes_one_are_the_same_method():
    made = FredholmEmbedding(LAW.log_density)
    for embedding in (made, FredholmEmbedding):
        found = MeanShift(embedding=embedding).embedded(LAW.log_density)
        assert isinstance(found, FredholmEmbedding)
        assert MeanShift(embedding=embedding).cost(LAW.log_density, 2) == 1
    exact = MeanShift(embedding=ExactEmbedding(LAW))
    assert exact.cost(LAW.log_density, 2) == 0


def test_the_smoothed_target_is_a_density_or_its_logarithm():
    smoothed, x = LAW.convolved(0.3), jnp.array([0.2, 0.4])
    method = SHK(smoothed=smoothed)
    assert method.smoothed is not None
    np.testing.assert_array_equal(method.smoothed(x), smoothed.log_density(x))
    with pytest.raises(TypeError, match="smoothed"):
        SHK(smoothed=LAW.log_density(x))  # pyright: ignore[reportArgumentType]
