"""The mechanics of a population: a law read off snapshots forecasts what came next.

Clouds of 40 particles are seen at four times; who went where is not known. An energy
and a friction are learned from them, and asked where the cloud is at a fifth time.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.learning import FlowMatching
from wflow.transport import w1


rng = np.random.default_rng(0)
times = np.linspace(0, 2, 5)
centers = 3 * np.stack([np.cos(times), np.sin(times)], axis=1)
clouds = [rng.normal(size=(40, 2)) / 2 + center for center in centers]
seen = wf.Snapshots(times[:4], clouds[:4])

energy = wf.MLPPotential(2, width=16, depth=2, key=jax.random.key(1))
law = wf.LagrangianFlow(energy, friction=wf.Learnable(0.5))
key = jax.random.key(2)
found = wf.fit(law, seen, FlowMatching(), steps=400, key=key, progress=False)
forecast = np.asarray(found.forecast(times[4:])[0])

straight = 2 * clouds[3] - clouds[2]  # each point as far again, in the order drawn
error, nothing, on = (w1(x, clouds[4]) for x in (forecast, clouds[3], straight))
print(f"W1: learned {error:.2f}, nothing moves {nothing:.2f}, straight on {on:.2f}")
assert error < min(on, nothing) / 1.5

figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
for time, cloud in zip(times[:4], clouds, strict=False):
    axes.plot(*cloud.T, "o", ms=3, color=plt.cm.viridis(time / 2), label=f"at {time:g}")
axes.plot(*clouds[4].T, "ko", ms=3, label="at 2, not seen")
axes.plot(*forecast.T, "x", ms=5, color="C1", label="forecast for 2")
axes.set(xlabel="x", ylabel="y", title=f"Off by {error:.2f}; it moved by {nothing:.2f}")
axes.legend(fontsize="small")
figure.savefig("mechanics.png", dpi=150)
