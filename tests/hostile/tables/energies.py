"""What drives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from wflow.energies import (
    KDE,
    MMD,
    AttentionPotential,
    Bumps,
    CoulombInteraction,
    Entropy,
    FisherInformation,
    Functional,
    GaussianClosure,
    GaussianProfile,
    Interaction,
    KernelSteinDiscrepancy,
    KLDivergence,
    LogInteraction,
    MLPPotential,
    Morse,
    PairPotential,
    ParticleMesh,
    Polynomial,
    Potential,
    Power,
    Radial,
    RadialBumps,
    RieszInteraction,
    SinkhornDivergence,
)
from wflow.kernels import GaussianKernel, LaplaceKernel
from wflow.measures import Gaussian as GaussianLaw
from wflow.measures import Particles

from ..engine import (
    array,
    asked,
    choice,
    count,
    entry,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.energies"

KEY = jax.random.key(0)
X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2], [0.5, 0.9], [-0.2, -0.8]])
CLOUD = Particles.from_samples(X)
TARGET = Particles.from_samples(X + 0.5)
LAW = GaussianLaw([0.0, 1.0], np.eye(2))
FLAG = {"text": "spoiled", "none": None, "number": 2}


class Line(eqx.Module):
    slope: jax.Array

    def __call__(self, x):
        return self.slope @ x


MODEL = Line(jnp.ones(2))


def square(*x):
    return sum(jnp.sum(part**2) for part in x)


def returned(healthy):
    """A function, spoiled by what it is or what it returns."""
    return given(
        healthy,
        text="spoiled",
        other=1.5,
        none=None,
        vector=lambda *x: jnp.ones(2),
        one=lambda *x: jnp.ones(1),
        complex=lambda *x: jnp.asarray(1j),
        nothing=lambda *x: None,
    )


STEIN = KernelSteinDiscrepancy(GaussianKernel(1.0), lambda x: -square(x))


def value_of(make, mu=CLOUD):
    return lambda **arguments: asked(make(**arguments).value, mu)


TABLE = {
    "Potential": entry(
        value_of(Potential),
        potential=returned(square),
        with_time=given(False, **FLAG),
    ),
    "Potential.nan": entry(
        lambda at: Potential(lambda x: jnp.where(x[0] > at, jnp.nan, 1.0)).value(CLOUD),
        at=given(5.0),
    ),
    "Potential.with_time": entry(
        lambda potential: asked(Potential(potential, with_time=True).value, CLOUD, 0.5),
        potential=returned(square),
    ),
    "Interaction": entry(
        value_of(Interaction),
        pair=returned(lambda x, y: square(x - y)),
        diagonal=given(True, **FLAG),
    ),
    "ParticleMesh": entry(
        lambda pair, cells: asked(Interaction(ParticleMesh(pair, cells)).value, CLOUD),
        pair=part(GaussianKernel(1.0)),
        cells=count(8),
    ),
    "ParticleMesh.error": entry(
        ParticleMesh(GaussianKernel(1.0), 8).error,
        x=array(X, words=[r"\bx \(n, d\)"]),
        w=array([0.1, 0.2, 0.3, 0.2, 0.2], fine="negative", words=[r"w \(n,\)"]),
        period=given(
            4.0, negative=-1.0, zero=0.0, nan=np.nan, text="spoiled", short=[1.0] * 3
        ),
    ),
    "Interaction.singular": entry(
        lambda pair, diagonal: Interaction(pair, diagonal).value(CLOUD),
        pair=given(
            lambda x, y: -jnp.log(jnp.linalg.norm(x - y)), text="spoiled", none=None
        ),
        diagonal=given(False, on=True),
    ),
    "LogInteraction": entry(value_of(LogInteraction), strength=number(1.0)),
    "CoulombInteraction": entry(value_of(CoulombInteraction), strength=number(1.0)),
    "RieszInteraction": entry(
        value_of(RieszInteraction), exponent=positive(1.0), strength=number(1.0)
    ),
    "Functional": entry(
        value_of(Functional), function=returned(lambda mu, t: mu.mean[0])
    ),
    "AbstractEnergy": "a contract",
    "Entropy": entry(
        Entropy, temperature=non_negative(1.0), density=part(KDE(0.5), fine="none")
    ),
    "FisherInformation": entry(
        FisherInformation,
        hbar=non_negative(1.0),
        density=part(KDE(0.5), fine="none"),
    ),
    "KLDivergence": entry(
        value_of(KLDivergence),
        log_density=returned(lambda x: -square(x)),
        density=given(KDE(0.5), text="spoiled", other=1.5),
    ),
    "KDE": entry(
        lambda bandwidth, form, correlated: asked(
            KDE(bandwidth, form, correlated).entropy, CLOUD
        ),
        bandwidth=positive(0.5),
        form=choice("blob"),
        correlated=given(False, **FLAG),
    ),
    "KDE.axes": entry(
        lambda bandwidth: asked(KDE(bandwidth).entropy, CLOUD),
        bandwidth=masses([0.5, 0.7]),
    ),
    "KDE.matrix": entry(
        lambda bandwidth: asked(KDE(bandwidth).fisher_information, CLOUD),
        bandwidth=array([[0.5, 0.0], [0.2, 0.7]], fine="negative"),
    ),
    "KDE.rule": entry(
        lambda x: KDE().entropy(Particles.from_samples(x)),
        x=array(X, fine="short"),
    ),
    "GaussianClosure": entry(
        lambda x: GaussianClosure().entropy(Particles.from_samples(x)),
        x=array(X, fine="short"),
    ),
    "MMD": entry(value_of(MMD), kernel=part(LaplaceKernel(1.0)), target=part(TARGET)),
    "MMD.law": entry(
        value_of(MMD), kernel=part(GaussianKernel(1.0)), target=part(LAW, fine=())
    ),
    "MMD.points": entry(
        lambda x: asked(
            MMD(GaussianKernel(1.0), TARGET).value, Particles.from_samples(x)
        ),
        x=array(X, fine="short"),
    ),
    "KernelSteinDiscrepancy": entry(
        value_of(KernelSteinDiscrepancy),
        kernel=part(GaussianKernel(1.0)),
        log_density=returned(lambda x: -square(x)),
    ),
    "KernelSteinDiscrepancy.points": entry(
        lambda x: asked(STEIN.value, Particles.from_samples(x)),
        x=array(X, fine="short"),
    ),
    "AttentionPotential": entry(
        lambda **sizes: asked(AttentionPotential(**sizes, key=KEY).value, CLOUD),
        dim=given(2, zero=0, negative=-1, fraction=2.5, text="spoiled", none=None),
        width=count(4),
        depth=count(1, fine="zero"),
        heads=count(2),
        feedforward=count(3),
        time_dim=count(2, fine="zero"),
    ),
    "MLPPotential": entry(
        lambda **sizes: asked(MLPPotential(**sizes, key=KEY).value, CLOUD),
        dim=given(2, zero=0, negative=-1, fraction=2.5, text="spoiled", none=None),
        width=count(4),
        depth=count(1, fine="zero"),
        time_dim=count(2, fine="zero"),
    ),
    "PairPotential": entry(
        lambda **sizes: asked(PairPotential(**sizes, key=KEY).value, CLOUD),
        width=count(4),
        depth=count(1, fine="zero"),
        softening=positive(0.1),
    ),
    "SinkhornDivergence": entry(
        lambda target, blur, p: asked(SinkhornDivergence(target, blur, p).value, CLOUD),
        target=part(TARGET),
        blur=positive(0.5),
        p=choice(2),
    ),
    "Polynomial": entry(
        lambda **given: asked(Polynomial(**given), jnp.ones(2)),
        dim=given(2, zero=0, negative=-1, fraction=2.5, text="spoiled", none=None),
        degree=given(2, zero=0, negative=-1, fraction=2.5, text="spoiled", none=None),
        coefficients=array([1.0, 2.0, 0.5, 1.0, 1.0]),
    ),
    "Bumps": entry(
        lambda **given: asked(Bumps(**given), jnp.ones(2)),
        centers=array(X[:3], words=["coefficients"]),
        width=positive(0.5),
        coefficients=array([1.0, 2.0, 3.0]),
    ),
    "Bumps.lattice": entry(
        Bumps.lattice,
        dim=count(1),
        low=given(-1.0, nan=np.nan, inf=np.inf, high=2.0, text="spoiled", none=None),
        high=given(1.0, nan=np.nan, inf=np.inf, low=-2.0, text="spoiled", none=None),
        count=count(3),
    ),
    "RadialBumps": entry(
        lambda **given: asked(RadialBumps(**given), jnp.asarray(0.5)),
        count=count(3, words=["coefficients"]),
        reach=positive(2.0),
        coefficients=array([1.0, 2.0, 3.0]),
    ),
    "Morse": entry(
        Morse,
        depth=number(1.0),
        length=positive(1.0),
        distance=non_negative(1.0),
    ),
    "GaussianProfile": entry(GaussianProfile, height=number(1.0), length=positive(1.0)),
    "Power": entry(
        Power,
        strength=number(1.0),
        exponent=given(
            2.0,
            nan=np.nan,
            inf=np.inf,
            zero=0.0,
            shape=np.ones(3),
            complex=1j,
            text="spoiled",
        ),
    ),
    "Radial": entry(
        lambda **given: asked(Radial(**given), X[0], X[1]),
        profile=returned(lambda r: r**2),
        softening=non_negative(0.1),
        cutoff=positive(2.0),
        neighbors=count(8),
    ),
}
