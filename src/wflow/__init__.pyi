from . import (
    energies as energies,
)
from . import (
    filtering as filtering,
)
from . import (
    flows as flows,
)
from . import (
    geometries as geometries,
)
from . import (
    io as io,
)
from . import (
    kernels as kernels,
)
from . import (
    learning as learning,
)
from . import (
    measures as measures,
)
from . import (
    networks as networks,
)
from . import (
    plotting as plotting,
)
from . import (
    populations as populations,
)
from . import (
    regression as regression,
)
from . import (
    sampling as sampling,
)
from . import (
    sharding as sharding,
)
from . import (
    solvers as solvers,
)
from . import (
    studies as studies,
)
from . import (
    transport as transport,
)
from .energies import (
    AbstractEnergy as AbstractEnergy,
)
from .energies import (
    AttentionPotential as AttentionPotential,
)
from .energies import (
    Entropy as Entropy,
)
from .energies import (
    Interaction as Interaction,
)
from .energies import (
    KLDivergence as KLDivergence,
)
from .energies import (
    MLPPotential as MLPPotential,
)
from .energies import (
    Potential as Potential,
)
from .flows import (
    AbstractContinuousFlow as AbstractContinuousFlow,
)
from .flows import (
    BirthDeathFlow as BirthDeathFlow,
)
from .flows import (
    GradientFlow as GradientFlow,
)
from .flows import (
    GrowthFlow as GrowthFlow,
)
from .flows import (
    LagrangianFlow as LagrangianFlow,
)
from .flows import (
    LangevinFlow as LangevinFlow,
)
from .flows import (
    ResettingFlow as ResettingFlow,
)
from .flows import (
    VelocityFlow as VelocityFlow,
)
from .geometries import (
    Euclidean as Euclidean,
)
from .geometries import (
    FisherRao as FisherRao,
)
from .geometries import (
    HellingerKantorovich as HellingerKantorovich,
)
from .geometries import (
    Riemannian as Riemannian,
)
from .geometries import (
    Stein as Stein,
)
from .geometries import (
    Wasserstein as Wasserstein,
)
from .learning import (
    Fit as Fit,
)
from .learning import (
    Snapshots as Snapshots,
)
from .learning import (
    fit as fit,
)
from .measures import (
    Gaussian as Gaussian,
)
from .measures import (
    GaussianMixture as GaussianMixture,
)
from .measures import (
    Grid as Grid,
)
from .measures import (
    Particles as Particles,
)
from .measures import (
    Phase as Phase,
)
from .measures import (
    Point as Point,
)
from .parameters import (
    Learnable as Learnable,
)
from .populations import (
    fit_best as fit_best,
)
from .sampling import (
    sample as sample,
)
from .solvers import (
    Solution as Solution,
)
from .solvers import (
    solve as solve,
)
from .studies import (
    open_run as open_run,
)

__version__: str

__all__ = [
    "AbstractContinuousFlow",
    "AbstractEnergy",
    "AttentionPotential",
    "BirthDeathFlow",
    "Entropy",
    "Euclidean",
    "FisherRao",
    "Fit",
    "Gaussian",
    "GaussianMixture",
    "GradientFlow",
    "Grid",
    "GrowthFlow",
    "HellingerKantorovich",
    "Interaction",
    "KLDivergence",
    "LagrangianFlow",
    "LangevinFlow",
    "Learnable",
    "MLPPotential",
    "Particles",
    "Phase",
    "Point",
    "Potential",
    "ResettingFlow",
    "Riemannian",
    "Snapshots",
    "Solution",
    "Stein",
    "VelocityFlow",
    "Wasserstein",
    "energies",
    "filtering",
    "fit",
    "fit_best",
    "flows",
    "geometries",
    "io",
    "kernels",
    "learning",
    "measures",
    "networks",
    "open_run",
    "plotting",
    "populations",
    "regression",
    "sample",
    "sampling",
    "sharding",
    "solve",
    "solvers",
    "studies",
    "transport",
]
