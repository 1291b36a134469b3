"""Attention: a head trained across prompts sees a spike that no prompt shows.

Tokens are N(0, I + theta v v'). The gradient flow of the head's risk aligns it with v
at a rate in closed form; PCA of one prompt is limited by the BBP transition.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.networks import attention
from wflow.networks.attention import prompts
from wflow.networks.attention.covariance import square_root
from wflow.networks.attention.heads import initial_mu


jax.config.update("jax_enable_x64", True)
d, length, theta = 20, 20, 3.0
covariance = prompts.spiked_covariance(theta, jnp.ones(d))
start = initial_mu(jax.random.key(0), d)

risk = attention.AttentionRisk(covariance, prompt_length=length)
flow = wf.GradientFlow(risk, wf.Euclidean())
times = jnp.linspace(0, 1, 41)
solution = wf.solve(flow, wf.Point(start), 0, 1, times=times)
cos2 = solution.evaluate(lambda mu, t: attention.alignment(mu.value, covariance).cos2)
rest = attention.critical_point(flow, wf.Point(risk.minimum))
slope = np.polyfit(times[20:], jnp.log(1 - cos2[20:]), 1)[0]
# 1 - cos2 falls at twice the slowest rate; the faster ones are gone by half time.
np.testing.assert_allclose(slope, 2 * rest.rate, rtol=1e-2)

root = square_root(covariance)
fresh = lambda key: prompts.gaussian_prompts(key, root, length, 64)
head = attention.LinearAttention(start)
trained = attention.train_head(head, fresh, jax.random.key(1), steps=1500)
learned = attention.alignment(trained.head.mu, covariance)
alone = prompts.prompt_pca(fresh(jax.random.key(2)))[..., 0]
of_prompt = jnp.mean(jnp.sum(alone, axis=1) ** 2 / d)
assert learned.cos2 > 0.99

figure, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
axes.semilogy(times, 1 - cos2, label="gradient flow, closed form")
predicted = (1 - cos2[20]) * jnp.exp(2 * rest.rate * (times - times[20]))
axes.semilogy(times, predicted, "--", label=f"slope {2 * rest.rate:.2f}, predicted")
for value, name, color in (
    (learned.cos2, "trained on prompts", "C2"),
    (of_prompt, "PCA of one prompt", "C3"),
    (prompts.bbp_overlap(theta, d / length), "its limit", "0.5"),
):
    axes.axhline(float(1 - value), color=color, label=name)
axes.set(xlabel="time", ylabel="1 - cos2 to the spike", title="A head finds the spike")
axes.legend(fontsize="small")
figure.savefig("attention.png", dpi=150)
