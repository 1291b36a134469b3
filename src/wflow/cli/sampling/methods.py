"""The sampling methods of a config."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict


if TYPE_CHECKING:
    from wflow.energies import AbstractParticleDensity
    from wflow.measures import GaussianMixture
    from wflow.sampling import AbstractEmbedding, AbstractMethod, AbstractRule
    from wflow.sampling.methods.discrepancy import Embed


Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Steps(Strict):
    """What all methods of one flow have.

    Attributes:
        step: of the solver, in the time of the flow.
        steps: their number.
    """

    step: Positive
    steps: Count


class SHKConfig(_Steps):
    """The spherical Hellinger-Kantorovich flow of the Kullback-Leibler divergence.

    Attributes:
        bandwidth: of the kernel density estimate; by default Silverman's rule.
        density: a kernel estimate, one along the particles' covariance, or a Gaussian.
        smoothed: compare with the target convolved with the kernel (mixtures only).
    """

    kind: Literal["shk"]
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    transport: Literal["metropolis", "langevin", "probability_flow", "none"] = (
        "metropolis"
    )
    reaction: Literal["resampled", "weights", "jumps", "none"] = "resampled"
    density: Literal["kde", "correlated", "gaussian"] = "kde"
    bandwidth: Positive | None = None
    smoothed: bool = False
    settle: Share = 0.5
    resample_below: Share = 0.5

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        from wflow.sampling import SHK

        smoothed = None
        if self.smoothed:
            if mixture is None or self.bandwidth is None:
                raise ValueError(
                    "smoothed: expected a target that is a mixture, and a bandwidth."
                )
            smoothed = mixture.convolved(self.bandwidth).log_density
        return SHK(
            step=self.step,
            steps=self.steps,
            alpha=self.alpha,
            beta=self.beta,
            transport=self.transport,
            reaction=self.reaction,
            density=self._density(),
            smoothed=smoothed,
            settle=self.settle,
            resample_below=self.resample_below,
        )

    def _density(self) -> "AbstractParticleDensity":
        from wflow.energies import KDE, GaussianClosure

        if self.density == "gaussian":
            return GaussianClosure()
        return KDE(self.bandwidth, "plug_in", self.density == "correlated")


class SMCWFRConfig(_Steps):
    """The same flow with the density of its own transition kernels."""

    kind: Literal["smc_wfr"]
    alpha: Positive = 1.0
    beta: NonNegative = 1.0
    resample_below: Share = 0.5

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        del mixture
        from wflow.sampling import SMCWFR

        return SMCWFR(self.step, self.steps, self.alpha, self.beta, self.resample_below)


class ChainConfig(_Steps):
    """Methods with a step and nothing else: chains, SVGD, ALDI."""

    kind: Literal["ula", "mala", "svgd", "aldi", "aldi_gradient_free"]

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        del mixture
        from wflow import sampling

        if self.kind in ("aldi", "aldi_gradient_free"):
            free = self.kind == "aldi_gradient_free"
            return sampling.ALDI(self.step, self.steps, free)
        return getattr(sampling, self.kind.upper())(self.step, self.steps)


class CBSConfig(_Steps):
    """Consensus-based sampling."""

    kind: Literal["cbs"]
    inverse_temperature: Positive = 1.0

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        del mixture
        from wflow.sampling import CBS

        return CBS(self.step, self.steps, self.inverse_temperature)


class GaussHermiteConfig(Strict):
    """Tensor Gauss-Hermite nodes, ``order`` an axis."""

    kind: Literal["gauss_hermite"]
    order: Count = 3

    def build(self, seed: int) -> "AbstractRule":
        """The rule."""
        del seed
        from wflow.sampling import GaussHermite

        return GaussHermite(self.order)


class MonteCarloConfig(Strict):
    """Normal draws, the same for all particles and steps."""

    kind: Literal["monte_carlo"]
    size: Count = 50

    def build(self, seed: int) -> "AbstractRule":
        """The rule."""
        import jax

        from wflow.sampling import MonteCarlo

        return MonteCarlo(self.size, jax.random.key(seed))


class RadialSphericalConfig(Strict):
    """Random directions, and Gauss-Laguerre radii along each."""

    kind: Literal["radial_spherical"]
    directions: Count = 5
    radii: Count = 3

    def build(self, seed: int) -> "AbstractRule":
        """The rule."""
        import jax

        from wflow.sampling import RadialSpherical

        return RadialSpherical(self.directions, jax.random.key(seed), self.radii)


Rule = Annotated[
    GaussHermiteConfig | MonteCarloConfig | RadialSphericalConfig,
    Field(discriminator="kind"),
]


class _Embedded(_Steps):
    """What methods of a discrepancy have.

    Attributes:
        bandwidth: of the Gaussian kernel.
        ridge: on the diagonal of its matrix.
        embedding: of the target; exact for mixtures only.
        rule: of the embeddings that integrate.
        rule_seed: of its random nodes.
        gamma: of the embeddings that use gradients.
    """

    bandwidth: Positive
    ridge: NonNegative = 1e-8
    embedding: Literal["exact", "fredholm", "gradient_free", "gradient_informed"] = (
        "fredholm"
    )
    rule: Rule = GaussHermiteConfig(kind="gauss_hermite")
    rule_seed: Annotated[int, Field(ge=0)] = 0
    gamma: Share = 1.0

    def embed(self, mixture: "GaussianMixture | None" = None) -> "Embed":
        """What makes the embedding of a log-density."""
        from wflow import sampling

        if self.embedding == "exact":
            if mixture is None:
                raise ValueError("embedding: exact is for targets that are mixtures.")
            exact = sampling.ExactEmbedding(mixture)
            return lambda log_density: exact
        rule = self.rule.build(self.rule_seed)

        def embed(log_density) -> "AbstractEmbedding":
            if self.embedding == "fredholm":
                return sampling.FredholmEmbedding(log_density, self.gamma)
            if self.embedding == "gradient_free":
                return sampling.GradientFreeEmbedding(log_density, rule)
            return sampling.GradientInformedEmbedding(log_density, rule, self.gamma)

        return embed


class MeanShiftConfig(_Embedded):
    """Mean-shift interacting particles.

    Attributes:
        max_shift: longest step of a particle, before damping.
    """

    kind: Literal["msip"]
    max_shift: Positive | None = None

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        from wflow.sampling import MeanShift

        return MeanShift(
            self.step,
            self.steps,
            self.bandwidth,
            self.embed(mixture),
            self.ridge,
            self.max_shift,
        )


class MMDFlowConfig(_Embedded):
    """Gradient flow of the discrepancy with noise injection."""

    kind: Literal["mmd_flow"]
    noise: NonNegative = 0.0

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        from wflow.sampling import MMDFlow

        return MMDFlow(
            self.step,
            self.steps,
            self.bandwidth,
            self.embed(mixture),
            self.ridge,
            self.noise,
        )


class WFRMMDConfig(_Embedded):
    """Wasserstein-Fisher-Rao flow of the discrepancy."""

    kind: Literal["wfr_mmd"]
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        from wflow.sampling import WFRMMD

        return WFRMMD(
            self.step,
            self.steps,
            self.bandwidth,
            self.embed(mixture),
            self.ridge,
            self.alpha,
            self.beta,
        )


class NUTSConfig(Strict):
    """Reference draws by BlackJAX."""

    kind: Literal["nuts"]
    warmup: Count = 500
    thin: Count = 10
    chains: Count = 4

    def build(self, mixture: "GaussianMixture | None" = None) -> "AbstractMethod":
        """The method."""
        del mixture
        from wflow.sampling import NUTS

        return NUTS(self.warmup, self.thin, self.chains)


MethodConfig = Annotated[
    SHKConfig
    | SMCWFRConfig
    | ChainConfig
    | CBSConfig
    | MeanShiftConfig
    | MMDFlowConfig
    | WFRMMDConfig
    | NUTSConfig,
    Field(discriminator="kind"),
]
