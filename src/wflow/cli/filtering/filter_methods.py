"""Filters and settings as configs ask for them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wflow.cli.errors import CommandError

from .filter_schema import (
    EnKFMethod,
    ETKFMethod,
    Kernel,
    LikelihoodMethod,
    Lorenz63Case,
    MomentMethod,
    ParticleMethod,
    TrainedMethod,
    TransportMethod,
)


if TYPE_CHECKING:
    from wflow.filtering import AbstractMethod, Domain, Setting

# Components on the ring, and the distance between those observed.
_RINGS = {"lorenz96": (40, 1), "lorenz96_hard": (40, 2)}


def make_setting(case: Any) -> "Setting":
    """The setting of a case."""
    import jax.numpy as jnp

    from wflow import filtering

    if not isinstance(case, Lorenz63Case):
        makers = {
            "lorenz63_partial": filtering.lorenz63_partial,
            "lorenz96": filtering.lorenz96_classic,
            "lorenz96_hard": filtering.lorenz96_hard,
        }
        return makers[case.kind]()
    if case.observed == "components":
        return filtering.lorenz63_full()
    operators = {"absolute": jnp.abs, "saturated": _saturated}
    law = filtering.GaussianObservation(operators[case.observed], 2 * jnp.eye(3))
    return filtering.lorenz63_full(law)


def _saturated(x: Any) -> Any:
    import jax.numpy as jnp

    return 10 * jnp.arctan(x)


def check_local(source: str, kinds: Iterable[str], methods: dict[str, Any]) -> None:
    """Refuse localisation where components lie on no ring.

    Raises:
        CommandError: a method is local, and a setting of these kinds has no ring.
    """
    for name, method in methods.items():
        for kind in kinds:
            if getattr(method, "local", None) is not None and kind not in _RINGS:
                raise CommandError(
                    f"{source}: methods.{name}.local: the components of {kind} have "
                    "no distances; leave local out."
                )


def make_method(method: Any, case: Any = None) -> "AbstractMethod":
    """The filter that a config asks for, on the setting ``case``."""
    from wflow import filtering
    from wflow.filtering import transport

    local = getattr(method, "local", None)
    domain = None if local is None else _domain(local, case)
    match method:
        case EnKFMethod() if domain is not None:
            return filtering.LocalEnKF(domain, method.inflation)
        case EnKFMethod():
            return filtering.EnKF(method.inflation)
        case ETKFMethod() if domain is not None:
            return filtering.LETKF(domain, method.inflation, method.rotate)
        case ETKFMethod():
            return filtering.ETKF(method.inflation, method.rotate)
        case ParticleMethod():
            return filtering.ParticleFilter(method.jitter, method.threshold)
    made = _transport(method)
    if domain is None:
        return made
    # Its inflation is that of the method, a property.
    return transport.LocalTransport(made, domain)  # pyright: ignore[reportCallIssue]


def _transport(method: Any) -> Any:
    from wflow.filtering import transport

    match method:
        case TransportMethod():
            target = (
                transport.RaoBlackwellised()
                if method.exact
                else transport.LikelihoodFree(method.draws)
            )
            return transport.CouplingTransport(
                kernel_x=make_kernel(method.kernel_x),
                kernel_y=make_kernel(method.kernel_y),
                start=method.start,
                steps=method.steps,
                step=method.step,
                permutations=method.permutations,
                target=target,
                inflation=method.inflation,
            )
        case LikelihoodMethod():
            return transport.LikelihoodTransport(
                kernel_x=make_kernel(method.kernel_x),
                start=method.start,
                steps=method.steps,
                step=method.step,
                inflation=method.inflation,
            )
        case MomentMethod():
            return transport.MomentTransport(method.inflation)
        case TrainedMethod():
            return transport.TrainedTransport(
                kernel_x=make_kernel(method.kernel_x),
                kernel_y=make_kernel(method.kernel_y),
                steps=method.steps,
                inflation=method.inflation,
            )
    raise TypeError(f"no method of kind {method.kind}.")


def make_kernel(kernel: Kernel) -> Any:
    """The kernel that a config asks for."""
    from wflow import kernels

    makers = {
        "gaussian": kernels.Gaussian,
        "inverse_multiquadric": kernels.InverseMultiquadric,
        "laplace": kernels.Laplace,
        "energy": kernels.EnergyDistance,
    }
    made = makers[kernel.kind](kernel.bandwidth)
    return made if kernel.scales is None else kernels.ScaleMixture(made, kernel.scales)


def _domain(local: Any, case: Any) -> "Domain":
    import numpy as np

    from wflow.filtering import Domain

    size, every = _RINGS[case.kind]
    return Domain.ring(
        local.radius, size, np.arange(0, size, every), local.patch_radius
    )
