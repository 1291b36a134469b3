"""Kernels, bandwidth rules and sums over pairs."""

import jax.numpy as jnp
import numpy as np

from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    Kronecker,
    Laplace,
    Matern32,
    Matern52,
    MedianGaussian,
    Product,
    ScaleMixture,
    gradient_matvec,
    gram,
    log_matvec,
    log_mixture_embedding,
    matvec,
    median_bandwidth,
    mixture_double_integral,
    mixture_embedding,
    pair_sum,
    silverman_bandwidth,
    silverman_matrix,
)
from wflow.measures import GaussianMixture

from ..engine import array, count, entry, given, masses, part, positive


ROOM = "wflow.kernels"

X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9], [-0.2, -0.8]])
Y = np.array([[0.3, 0.1], [0.8, -0.2], [-0.5, 0.6], [0.2, 0.2]])
B = np.array([1.0, -2.0, 0.5, 1.5])
K = GaussianKernel(0.8)
MIXTURE = GaussianMixture(
    [[0.0, 1.0], [1.0, 0.0]], np.stack([np.eye(2)] * 2), [1.0, 2.0]
)
WIDE = {"fine": "inf", "finite": "inf"}


def of(kernel):
    """A kernel and its value; a bandwidth for three coordinates meets two."""
    return entry(
        lambda bandwidth: gram(kernel(bandwidth), X, Y), bandwidth=positive(1.0, **WIDE)
    )


SUMS = {
    "kernel": part(K),
    "x": array(X, fine=("short",), words=[r"\bx \(n, d\)"]),
    "y": array(Y, words=[r"\by \(m, d\)", "coefficients|weights|points y| b of| w of"]),
    "block": count(3),
}

TABLE = {
    **{
        kernel.__name__: of(kernel)
        for kernel in (
            EnergyDistance,
            GaussianKernel,
            Kronecker,
            Laplace,
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
    "Product": entry(
        Product,
        kernels=given(
            (K, Laplace(1.0)), text="spoilt", other=(K, 1.0), none=None, short=(K,)
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
    "matvec": entry(matvec, **SUMS, b=array(B, fine="shape")),
    "gradient_matvec": entry(gradient_matvec, **SUMS, b=array(B)),
    "log_matvec": entry(
        log_matvec, **SUMS, w=masses(np.abs(B), fine="zero", finite="zero")
    ),
    "pair_sum": entry(
        pair_sum,
        function=given(
            lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2)),
            text="spoilt",
            number=1.0,
            vector=lambda x, y: x,
            complex=lambda x, y: 1j * x[0],
            nothing=lambda x, y: None,
        ),
        x=array(X, **WIDE, words=[r"\bw\b"]),
        w=array([1.0, 2.0, 1.0, 0.0, 1.0]),
        y=array(Y, **WIDE, words=[r"\bv\b"]),
        v=array(B),
        block=count(3),
    ),
    "pair_sum.diagonal": entry(
        lambda diagonal: pair_sum(
            lambda x, y: jnp.sum(x - y) ** 2,
            X,
            np.ones(5),
            X,
            np.ones(5),
            diagonal=diagonal,
        ),
        diagonal=given(False, text="spoilt", none=None, number=2),
    ),
    "median_bandwidth": entry(
        median_bandwidth, x=array(X, fine=("short",)), max_points=count(4)
    ),
    "silverman_bandwidth": entry(
        silverman_bandwidth,
        x=array(X, words=["logw"]),
        logw=array([0.0, 1.0, 0.3, 0.2, 0.5]),
    ),
    "silverman_matrix": entry(
        silverman_matrix,
        x=array(X, words=["logw"]),
        logw=array([0.0, 1.0, 0.3, 0.2, 0.5]),
    ),
    "mixture_embedding": entry(
        mixture_embedding,
        kernel=part(K),
        mixture=part(MIXTURE),
        x=array(X, fine=("short", "empty")),
    ),
    "log_mixture_embedding": entry(
        log_mixture_embedding,
        kernel=part(K),
        mixture=part(MIXTURE),
        x=array(X, fine=("short", "empty")),
    ),
    "mixture_double_integral": entry(
        mixture_double_integral,
        kernel=part(K),
        first=part(MIXTURE),
        second=part(MIXTURE),
    ),
    "AbstractKernel": "a contract",
    "AbstractRadialKernel": "a contract",
}
