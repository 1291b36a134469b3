"""Kernels, bandwidth rules and sums over pairs."""

import jax
import numpy as np

from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    LaplaceKernel,
    Matern32,
    Matern52,
    MedianGaussian,
    Nystrom,
    ProductKernel,
    RandomFeatures,
    ScaleMixture,
    gram,
    median_bandwidth,
    silverman_bandwidth,
)

from ..engine import array, count, entry, given, masses, part, positive


ROOM = "wflow.kernels"

X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9], [-0.2, -0.8]])
Y = np.array([[0.3, 0.1], [0.8, -0.2], [-0.5, 0.6], [0.2, 0.2]])
K = GaussianKernel(0.8)
KEY = jax.random.key(0)
WAVES = RandomFeatures(K, 2, 8, key=KEY)
WIDE = {"fine": "inf", "finite": "inf"}


def of(kernel):
    """A kernel and its value; a bandwidth for three coordinates meets two."""
    return entry(
        lambda bandwidth: gram(kernel(bandwidth), X, Y), bandwidth=positive(1.0, **WIDE)
    )


TABLE = {
    **{
        kernel.__name__: of(kernel)
        for kernel in (
            EnergyDistance,
            GaussianKernel,
            Kronecker,
            LaplaceKernel,
            Matern32,
            Matern52,
        )
    },
    "InverseMultiquadric": entry(
        lambda bandwidth, exponent: gram(InverseMultiquadric(bandwidth, exponent), X),
        bandwidth=positive(1.0, **WIDE),
        exponent=positive(0.4),
    ),
    "GaussianKernel.matrix": entry(
        lambda bandwidth: gram(GaussianKernel(bandwidth), X),
        bandwidth=array([[1.0, 0.0], [0.3, 0.5]], fine="negative"),
    ),
    "GaussianKernel.call": entry(
        K, x=array([0.1, 0.2], **WIDE), y=array([0.3, 0.1], **WIDE)
    ),
    "MedianGaussian": entry(MedianGaussian, max_points=count(4, fine=())),
    "Nystrom": entry(
        lambda kernel, landmarks: Nystrom(kernel, landmarks).diagonal(X),
        kernel=part(K),
        landmarks=array(X[:3], fine="short", words=[r"landmarks \(m, d\)"]),
    ),
    "Nystrom.error": entry(
        Nystrom(K, X[:3]).error,
        x=array(X, words=[r"\bx \(n, d\)"]),
        w=array([0.1, 0.2, 0.3, 0.2, 0.2], fine="negative", words=[r"w \(n,\)"]),
    ),
    "ProductKernel": entry(
        ProductKernel,
        kernels=given(
            (K, LaplaceKernel(1.0)),
            text="spoiled",
            other=(K, 1.0),
            none=None,
            short=(K,),
        ),
        dims=given(
            (1, 1),
            zero=(1, 0),
            negative=(1, -1),
            fraction=(1, 1.5),
            text="ab",
            short=(1,),
        ),
    ),
    "RandomFeatures": entry(
        lambda kernel, dim, count: RandomFeatures(kernel, dim, count, key=KEY),
        kernel=part(K),
        dim=count(2),
        count=count(8),
    ),
    "RandomFeatures.error": entry(
        WAVES.error,
        x=array(X, words=[r"\bx \(n, d\)"]),
        w=array([0.1, 0.2, 0.3, 0.2, 0.2], fine="negative", words=[r"w \(n,\)"]),
    ),
    "ScaleMixture": entry(
        ScaleMixture,
        kernel=part(K),
        scales=masses([0.5, 1.0], words=[r"weights of shape"]),
        weights=masses([1.0, 2.0]),
    ),
    "gram": entry(
        gram,
        kernel=part(K),
        x=array(X, fine="short", words=[r"\bx \(n, d\)"]),
        y=array(Y, fine="short", words=[r"\by \(m, d\)"]),
    ),
    "gram.period": entry(
        lambda period: gram(K, X, Y, period=period),
        period=masses([1.5, 2.0], **WIDE),
    ),
    "median_bandwidth": entry(
        median_bandwidth, x=array(X, fine=("short",)), max_points=count(4)
    ),
    "silverman_bandwidth": entry(
        silverman_bandwidth,
        x=array(X, words=["logw"]),
        logw=array([0.0, 1.0, 0.3, 0.2, 0.5]),
    ),
    "AbstractKernel": "a contract",
    "AbstractPairSum": "a contract",
    "AbstractRadialKernel": "a contract",
}
