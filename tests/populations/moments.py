"""Means and covariances of particles in a quadratic potential, and what they tell.

Parameters: the coefficients of x1^2, x1 x2, x2^2, x1, x2, friction, temperature; then
mean (2) and covariance (3) at the start, from rest.
"""

from collections.abc import Callable

import numpy as np


NAMES = ("x1^2", "x1 x2", "x2^2", "x1", "x2", "friction", "temperature")
Moments = tuple[np.ndarray, np.ndarray]


def _law(q: np.ndarray) -> tuple:
    stiffness = np.array([[2 * q[0], q[1]], [q[1], 2 * q[2]]])
    start = np.array([[q[9], q[10]], [q[10], q[11]]])
    return stiffness, q[3:5], q[5], q[6], q[7:9], start


def langevin(q: np.ndarray, times: np.ndarray, substeps: int = 10) -> Moments:
    """Of underdamped Langevin dynamics, velocities thermal from the start; exact."""
    stiffness, slope, friction, tau, mean, start = _law(q)
    zero, one = np.zeros((2, 2)), np.eye(2)
    a = np.block([[zero, one], [-stiffness, -friction * one]])
    noise = np.block([[zero, zero], [zero, 2 * friction * tau * one]])
    push = np.concatenate([np.zeros(2), -slope])
    z = np.concatenate([mean, np.zeros(2)])
    p = np.block([[start, zero], [zero, tau * one]])
    h = (times[1] - times[0]) / substeps
    rate = lambda z, p: (a @ z + push, a @ p + p @ a.T + noise)
    means, covariances = [mean], [start]
    for _ in times[1:]:
        for _ in range(substeps):
            k1 = rate(z, p)
            k2 = rate(z + h / 2 * k1[0], p + h / 2 * k1[1])
            k3 = rate(z + h / 2 * k2[0], p + h / 2 * k2[1])
            k4 = rate(z + h * k3[0], p + h * k3[1])
            z, p = (
                s + h / 6 * (b + 2 * c + 2 * d + e)
                for s, b, c, d, e in zip((z, p), k1, k2, k3, k4, strict=True)
            )
        means.append(z[:2])
        covariances.append(p[:2, :2])
    return np.stack(means), np.stack(covariances)


def fluid(q: np.ndarray, times: np.ndarray) -> Moments:
    """Of the model: pressure in place of thermal motion, one leapfrog step a gap."""
    stiffness, slope, friction, tau, m, start = _law(q)
    u, big, speed = np.zeros(2), np.eye(2), np.zeros((2, 2))
    h = times[1] - times[0]
    kept = np.exp(-friction * h / 2)
    c = (1 - kept) / friction

    def kicked(m, u, big, speed):
        cov = big @ start @ big.T
        force = -stiffness @ m - slope
        spread = -stiffness @ big + tau * np.linalg.solve(cov, big)
        return kept * u + c * force, kept * speed + c * spread

    means, covariances = [m], [start]
    for _ in times[1:]:
        u, speed = kicked(m, u, big, speed)
        m, big = m + h * u, big + h * speed
        u, speed = kicked(m, u, big, speed)
        means.append(m)
        covariances.append(big @ start @ big.T)
    return np.stack(means), np.stack(covariances)


def _flat(moments: Moments) -> np.ndarray:
    mean, cov = moments
    return np.concatenate([mean, cov[:, 0], cov[:, 1, 1:]], axis=1).ravel()


def _jacobian(law: Callable, q: np.ndarray, times: np.ndarray) -> np.ndarray:
    h = 1e-5
    steps = h * np.eye(len(q))
    return np.stack(
        [(_flat(law(q + e, times)) - _flat(law(q - e, times))) / (2 * h) for e in steps]
    ).T


def _precision(moments: Moments, n: int) -> np.ndarray:
    """Inverse covariance of the sample moments of n normal points at every time."""
    blocks = []
    pairs = [(0, 0), (0, 1), (1, 1)]
    for s in moments[1]:
        block = np.zeros((5, 5))
        block[:2, :2] = s
        block[2:, 2:] = [
            [s[i, k] * s[j, m] + s[i, m] * s[j, k] for k, m in pairs] for i, j in pairs
        ]
        blocks.append(np.linalg.inv(block / n))
    size = 5 * len(blocks)
    whole = np.zeros((size, size))
    for k, block in enumerate(blocks):
        whole[5 * k : 5 * k + 5, 5 * k : 5 * k + 5] = block
    return whole


def errors(q: np.ndarray, times: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors of the best estimate from n points a snapshot, and the bias.

    The bias is that of a fit of the model to the exact moments.
    """
    exact = langevin(q, times)
    weight = _precision(exact, n)
    slope = _jacobian(langevin, q, times)
    standard = np.sqrt(np.diag(np.linalg.inv(slope.T @ weight @ slope)))
    found = q
    for _ in range(4):
        slope = _jacobian(fluid, found, times)
        off = _flat(exact) - _flat(fluid(found, times))
        found = found + np.linalg.solve(
            slope.T @ weight @ slope, slope.T @ weight @ off
        )
    return standard[: len(NAMES)], (found - q)[: len(NAMES)]
