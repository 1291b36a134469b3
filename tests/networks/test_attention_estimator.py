"""The transformer: scikit-learn's own checks, and components beside PCA's."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import check_estimator

from wflow.networks import attention
from wflow.networks.attention import AttentionPCA


ROWS = load_iris().data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "length"),
    [("linear", 64), pytest.param("softmax", 32, marks=pytest.mark.slow)],
)
def test_components_are_those_of_pca(kind, length):
    model = AttentionPCA(
        2, kind=kind, prompt_length=length, max_iter=1500, random_state=0
    )
    scores = model.fit_transform(ROWS)
    exact = PCA(2).fit(ROWS)
    np.testing.assert_allclose(
        model.components_ @ model.components_.T, np.eye(2), atol=1e-12
    )
    cosines = np.abs(np.sum(model.components_ * exact.components_, axis=1))
    # The second has a twentieth of the variance: some degrees are not yet trained away.
    assert cosines[0] > 0.999
    assert cosines[1] > 0.99
    np.testing.assert_allclose(
        model.explained_variance_, exact.explained_variance_, rtol=0.02
    )
    assert (model.components_[[0, 1], np.abs(model.components_).argmax(1)] > 0).all()
    back = model.inverse_transform(scores)
    residual = np.sum((ROWS - back) ** 2) / np.sum((ROWS - ROWS.mean(0)) ** 2)
    assert residual < 1.1 * (1 - exact.explained_variance_ratio_.sum())
    assert list(model.get_feature_names_out()) == ["attentionpca0", "attentionpca1"]


@pytest.mark.slow
def test_scikit_learn_accepts_it():
    model = AttentionPCA(max_iter=20, prompt_length=16, batch_size=8)
    check_estimator(model, on_skip=None)


def test_bad_input():
    for changes, message in (
        (
            {"n_components": 5},
            "expected n_components from 1 to 4, the number of columns",
        ),
        ({"kind": "cubic"}, "expected kind 'linear' or 'softmax', found 'cubic'"),
        ({"prompt_length": 0}, "expected prompt_length >= 1, found 0"),
        ({"learning_rate": -1.0}, "expected learning_rate > 0, found -1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            AttentionPCA(**changes).fit(ROWS)
    alike = AttentionPCA(2, max_iter=5).fit(np.ones((3, 4)))
    np.testing.assert_allclose(alike.explained_variance_, 0)
    with pytest.raises(AttributeError, match="has no attribute 'AttentionLDA'"):
        _ = attention.AttentionLDA
