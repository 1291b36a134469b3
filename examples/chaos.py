"""A wide network follows its mean-field limit for all times, through an escape.

Quadratic neurons start near a saddle and learn one direction. Fluctuations grow while
they escape, by a factor of 1/scale^2; at their peak they are still of order 1/m, as the
linearized flow says without any sampling.
"""

import jax
import jax.numpy as jnp
import numpy as np

from wflow import Gaussian
from wflow.networks import chaos
from wflow.plotting.chaos import plot_chaos


D, SCALE, WIDTHS = 4, 1e-2, (16, 64, 256)


risk = chaos.QuadraticRisk(jnp.zeros((D, D)).at[0, 0].set(1))
start = Gaussian(jnp.zeros(D), SCALE * jnp.eye(D) / D)
student = chaos.Student(risk, start)
times = np.linspace(0, 1.2, 61)
key = jax.random.key(0)
report = chaos.study_widths(student, WIDTHS, 200, times, limit=start, key=key)
limit = np.asarray(chaos.clt_variance(student, times))

low, high = report.interval
print(f"sup over time of the gap ~ m^{report.slope:.2f} ({low:.2f} to {high:.2f})")
peak = report.widths * report.sup
print(f"m times its peak: {peak.round(3)}, linearized {limit.max():.3f}")
print(f"neurons for a gap of 1e-3: {report.width_for(1e-3)}")
# Of 200 seeds; the gap is a heavy-tailed square.
assert abs(report.slope + 1) < 0.25
assert np.all(np.abs(peak / limit.max() - 1) < 0.5)

means, widths = report.mean, np.array(WIDTHS)
figure = plot_chaos(times, widths, means, slope=report.slope, limit=limit)
figure.set_size_inches(10, 3.4)
figure.savefig("chaos.png", dpi=150)
