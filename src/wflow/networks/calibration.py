"""Whether a classifier is right as often as it believes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wflow.checks import count, known, shape, to_real, within


def calibration_error(
    probabilities: Float[Array, "n k"], labels: Int[Array, " n"], bins: int = 10
) -> Float[Array, ""]:
    r"""How far the confidence of a classifier is from its accuracy, on average.

    Expected calibration error $\sum_b \frac{n_b}{n}|\mathrm{acc}_b - \mathrm{conf}_b|$
    over ``bins`` of confidence, all equally wide.

    Args:
        probabilities: of every class, ``(n, k)``; the largest is the confidence.
        labels: the true classes ``(n,)``, whole numbers from 0 to k - 1.
        bins: into which [0, 1] is cut.

    Raises:
        ValueError: probabilities outside [0, 1], labels that are none, or shapes that
            do not fit.

    Reference: Guo et al., ICML 2017, equation (3).
    """
    probabilities = to_real(probabilities, "probabilities")
    shape("calibration_error", "probabilities", probabilities, ("n", "k"))
    n, classes = probabilities.shape
    if not n or not classes:
        raise ValueError(
            "calibration_error: expected probabilities with entries, found shape "
            f"{probabilities.shape}."
        )
    within("calibration_error", "probabilities", probabilities, 0, 1)
    shape("calibration_error", "labels", labels, (n,))
    within("calibration_error", "labels", labels, 0, classes - 1)
    found = known(labels)
    if found is not None and (found != found.round()).any():
        raise ValueError("calibration_error: expected labels that are whole numbers.")
    count("calibration_error", "bins", bins)
    confidence = probabilities.max(-1)
    right = (probabilities.argmax(-1) == labels).astype(confidence.dtype)
    inside = jnp.minimum((confidence * bins).astype(int), bins - 1)
    gaps = jax.ops.segment_sum(right - confidence, inside, bins)
    return jnp.sum(jnp.abs(gaps)) / n
