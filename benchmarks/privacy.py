"""Conversions between notions of privacy: wflow beside dp-accounting.

    python benchmarks/privacy.py

Every number is a guarantee, so smaller is better where both are right. Two are the same
quantity and must agree: the Renyi divergence of randomized response and of Gaussians.
"""

import importlib.util
import math

from harness import report

from wflow.measures import Gaussian
from wflow.sampling.privacy.conversions import (
    delta_from_pure,
    delta_from_renyi,
    epsilon_from_pure,
    epsilon_from_renyi,
    gaussian_renyi,
    renyi_from_pure,
)


PEER = "dp-accounting"
NOTE = "A quotient below 1 is the tighter guarantee of wflow, 1 is the same number."


def main():
    """Print ours beside theirs, case by case."""
    missing = [] if importlib.util.find_spec("dp_accounting") else [PEER]
    rows = []
    for quantity, case, ours, theirs in cases():
        row = {"quantity": quantity, "case": case, "wflow": ours()}
        row[PEER] = "-" if missing else float(theirs())
        row["quotient"] = "-" if missing else row["wflow"] / row[PEER]
        rows.append(row)
    report("Privacy", rows, missing, NOTE)


def cases():
    """Quantity, case, our value and the peer's, as functions."""
    for pure, order in ((0.5, 2.0), (0.5, 8.0), (2.0, 32.0)):
        yield (
            "Renyi from pure",
            f"pure {pure:g}, order {order:g}",
            lambda pure=pure, order=order: renyi_from_pure(pure, order),
            lambda pure=pure, order=order: response_renyi(pure, order),
        )
    for shift, order in ((0.5, 2.0), (1.0, 16.0)):
        pair = Gaussian([shift], [[1.0]]), Gaussian([0.0], [[1.0]])
        yield (
            "Renyi of Gaussians",
            f"shift {shift:g}, order {order:g}",
            lambda pair=pair, order=order: gaussian_renyi(*pair, order),
            lambda shift=shift, order=order: shift_renyi(shift, order),
        )
    for divergence, order in ((0.1, 2.0), (0.4, 8.0), (1.0, 32.0)):
        for delta in (1e-3, 1e-6):
            yield (
                "epsilon from Renyi",
                f"{divergence:g} at order {order:g}, delta {delta:g}",
                lambda a=divergence, b=delta, c=order: epsilon_from_renyi(a, b, c),
                lambda a=divergence, b=delta, c=order: closed_epsilon(a, b, c),
            )
        yield (
            "delta from Renyi",
            f"{divergence:g} at order {order:g}, epsilon 1",
            lambda a=divergence, c=order: delta_from_renyi(a, 1.0, c),
            lambda a=divergence, c=order: closed_delta(a, 1.0, c),
        )
    for pure, draws in ((0.5, 1), (0.5, 4), (0.1, 64)):
        yield (
            "delta of several draws",
            f"{draws} of pure {pure:g}, epsilon {0.8 * draws * pure:g}",
            lambda a=pure, n=draws: delta_from_pure(a, 0.8 * n * a, draws=n),
            lambda a=pure, n=draws: responses(a, n).get_delta_for_epsilon(0.8 * n * a),
        )
        yield (
            "epsilon of several draws",
            f"{draws} of pure {pure:g}, delta 1e-05",
            lambda a=pure, n=draws: epsilon_from_pure(a, 1e-5, draws=n),
            lambda a=pure, n=draws: responses(a, n).get_epsilon_for_delta(1e-5),
        )


def accountant(event, order):
    """The peer's Renyi divergence of an event."""
    from dp_accounting import NeighboringRelation
    from dp_accounting.rdp import RdpAccountant

    return (
        RdpAccountant([order], NeighboringRelation.REPLACE_ONE).compose(event)._rdp[0]
    )


def noise(pure):
    """How often a response is random, of two answers."""
    return 2 / (1 + math.exp(pure))


def response_renyi(pure, order):
    """Of randomized response."""
    from dp_accounting import RandomizedResponseDpEvent

    return accountant(RandomizedResponseDpEvent(noise(pure), 2), order)


def shift_renyi(shift, order):
    """Of two Gaussians of unit variance."""
    from dp_accounting import GaussianDpEvent

    return accountant(GaussianDpEvent(1 / shift), order)


def closed_epsilon(divergence, delta, order):
    """Canonne, Kamath, Steinke (2020), proposition 12."""
    from dp_accounting.rdp.rdp_privacy_accountant import compute_epsilon

    return compute_epsilon([order], [divergence], delta)[0]


def closed_delta(divergence, epsilon, order):
    """The same proposition, the other way round."""
    from dp_accounting.rdp.rdp_privacy_accountant import compute_delta

    return compute_delta([order], [divergence], epsilon)[0]


def responses(pure, draws):
    """The loss of several randomized responses, on the peer's lattice."""
    from dp_accounting.pld.privacy_loss_distribution import from_randomized_response

    return from_randomized_response(noise(pure), 2).self_compose(draws)


if __name__ == "__main__":
    main()
