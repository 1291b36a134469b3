"""From the checked config to the library's objects."""

from typing import TYPE_CHECKING, Any

from wflow.cli.errors import CommandError

from . import model_schema, schema, terms, training_schema


if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from wflow.energies import AbstractEnergy
    from wflow.flows import LagrangianFlow, SumFlow
    from wflow.learning import AbstractInitialVelocity


def build_energy(
    part: model_schema.Energy, dim: int, key: "PRNGKeyArray"
) -> "AbstractEnergy":
    """The energy on R^dim with fresh parameters."""
    import jax

    from wflow.energies import (
        KDE,
        AttentionPotential,
        Entropy,
        GaussianClosure,
        MLPPotential,
        PairPotential,
    )
    from wflow.parameters import Learnable

    options = part.model_dump(exclude={"kind"})
    match part:
        case model_schema.Attention():
            return AttentionPotential(dim, **options, key=key)
        case model_schema.MLP():
            return MLPPotential(dim, **options, key=key)
        case model_schema.Pair():
            return PairPotential(**options, key=key)
        case model_schema.Entropy():
            tau = Learnable(part.temperature) if part.learn else part.temperature
            kernel = part.density == "kernel"
            return Entropy(tau, KDE(part.bandwidth) if kernel else GaussianClosure())
        case model_schema.Sum():
            pass
        case _:
            return build_term(part, dim)
    first, *rest = [
        build_energy(term, dim, k)
        for term, k in zip(
            part.terms, jax.random.split(key, len(part.terms)), strict=True
        )
    ]
    for term in rest:
        first = first + term
    return first


def build_term(part: terms.Term, dim: int) -> "AbstractEnergy":
    """The readable energy on R^dim, where it starts from.

    Raises:
        CommandError: it does not fit the dimension.
    """
    from wflow import energies
    from wflow.parameters import Learnable

    def free(value: Any) -> Any:
        return Learnable(value, positive=False) if part.learn else value

    def positive(value: float) -> Any:
        return Learnable(value) if part.learn else value

    try:
        match part:
            case terms.Polynomial():
                named = energies.Polynomial(dim, part.degree).names
                if unknown := sorted(set(part.coefficients) - set(named)):
                    raise ValueError(
                        f"polynomial: expected monomials among {', '.join(named)}, "
                        f"found {unknown[0]}."
                    )
                start = [part.coefficients.get(name, 0.0) for name in named]
                function = energies.Polynomial(dim, part.degree, free(start))
            case terms.Bumps(centres=None):
                lattice = energies.Bumps.lattice(dim, part.low, part.high, part.count)
                start = [0.0] * len(lattice.centres)
                if part.heights is not None:
                    start = part.heights
                function = energies.Bumps(lattice.centres, lattice.width, free(start))
            case terms.Bumps(centres=list() as centres):
                if any(len(centre) != dim for centre in centres):
                    raise ValueError(f"bumps: expected centres of dimension {dim}.")
                start = part.heights or [0.0] * len(centres)
                function = energies.Bumps(centres, part.width, free(start))
            case terms.RadialBumps():
                start = [0.0] * part.count
                function = energies.RadialBumps(part.count, part.reach, free(start))
            case terms.Morse():
                function = energies.Morse(
                    *map(positive, (part.depth, part.length, part.distance))
                )
            case terms.GaussianPair():
                function = energies.GaussianProfile(
                    free(part.height), positive(part.length)
                )
            case terms.PowerPair():
                function = energies.Power(free(part.strength), positive(part.exponent))
    except ValueError as error:
        raise CommandError(f"energy: {error}") from error
    if isinstance(part, terms.Polynomial | terms.Bumps):
        return energies.Potential(function)
    return energies.Interaction(energies.Radial(function, part.softening))


def build_flow(
    config: schema.PopulationConfig, dim: int, key: "PRNGKeyArray"
) -> "LagrangianFlow | SumFlow":
    """The law of motion with fresh parameters."""
    import jax

    from wflow.flows import GrowthFlow, LagrangianFlow, NeuralRate
    from wflow.parameters import Learnable

    friction = config.friction
    flow = LagrangianFlow(
        build_energy(config.energy, dim, key),
        friction=Learnable(friction.value) if friction.learn else friction.value,
        force_scaling=config.force_scaling,
    )
    if config.growth is None:
        return flow
    # Another key than the energy's, which is the same without growth.
    options = config.growth.model_dump()
    return flow + GrowthFlow(NeuralRate(dim, **options, key=jax.random.fold_in(key, 1)))


def build_velocity(part: training_schema.Velocity) -> "AbstractInitialVelocity":
    """The rule for the velocities that rollouts start with."""
    from wflow import learning

    match part:
        case training_schema.Given():
            return learning.Given()
        case training_schema.Zero():
            return learning.Zero()
        case training_schema.DICE():
            return learning.DICE(part.steps, part.width, part.batch)
        case training_schema.Displacement():
            return learning.Displacement()
        case training_schema.SmoothedDisplacement():
            return learning.SmoothedDisplacement(part.bandwidth)
        case training_schema.SmoothPath():
            return learning.SmoothPath(part.bandwidth, part.length, part.noise)
        case training_schema.Learned():
            return learning.Learned(build_velocity(part.start))
        case training_schema.Corrected():
            return learning.Corrected(
                build_velocity(part.start), part.width, part.depth
            )


def fit_options(part: training_schema.Fit, growth: bool = False) -> dict[str, Any]:
    """The keyword arguments of ``wflow.learning.fit``, for a flow with ``growth``."""
    from wflow import learning

    loss: learning.AbstractLoss = learning.CharacteristicDistance()
    if part.loss.kind == "sinkhorn":
        loss = learning.Sinkhorn(part.loss.p, part.loss.blur)
    if growth:
        loss = learning.MassAndShape(loss, part.loss.mass)

    match part.horizon:
        case training_schema.RandomHorizon():
            horizon = learning.RandomHorizon(part.horizon.ramp)
        case training_schema.FullHorizon():
            horizon = learning.FullHorizon(part.horizon.ramp)
        case training_schema.FixedHorizon():
            horizon = learning.FixedHorizon(part.horizon.length)
    plain = part.model_dump(exclude={"horizon", "loss", "optimizer"})
    return {
        **plain,
        "horizon": horizon,
        "loss": loss,
        "optimizer": learning.AdamW(**part.optimizer.model_dump()),
    }
