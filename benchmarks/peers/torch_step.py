"""The same training step in plain PyTorch with geomloss, as a peer.

Attention is written with two products and a softmax: fused kernels have no second
derivative, and ``nn.MultiheadAttention`` without them does the same with more copies.
The energy's force is taken with ``create_graph=True``, and that at the end of the
rollout, which nothing needs, is not.
"""

import sys
from collections.abc import Callable

import numpy as np
import torch
from geomloss import SamplesLoss
from torch import Tensor, nn
from torch.nn import functional

from .step import CASES, FRICTION, Case, clouds
from .worker import serve


class Block(nn.Module):
    """One pre-norm transformer block over n particles."""

    def __init__(self, case: Case):
        super().__init__()
        h = case.width
        self.heads = case.heads
        self.norm_attention = nn.LayerNorm(h)
        self.norm_feedforward = nn.LayerNorm(h)
        self.projection = nn.Linear(h, 3 * h)
        self.output = nn.Linear(h, h)
        self.expand = nn.Linear(h, case.feedforward)
        self.contract = nn.Linear(case.feedforward, h)

    def forward(self, h: Tensor) -> Tensor:
        n, width = h.shape
        projected = self.projection(self.norm_attention(h))
        q, k, v = projected.view(n, 3, self.heads, -1).permute(1, 2, 0, 3)
        q = q / (width / self.heads) ** 0.5
        share = torch.softmax(q @ k.transpose(1, 2), -1)
        mixed = (share @ v).transpose(0, 1).reshape(n, width)
        h = h + self.output(mixed)
        hidden = functional.gelu(self.expand(self.norm_feedforward(h)))
        return h + self.contract(hidden)


class Potential(nn.Module):
    """One number for each of n points in the plane."""

    def __init__(self, case: Case):
        super().__init__()
        self.embed = nn.Linear(2, case.width)
        self.blocks = nn.ModuleList(Block(case) for _ in range(case.depth))
        self.head = nn.Linear(case.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h)[:, 0]


def tasks(case: Case, path: str) -> dict[str, Callable[[], float]]:
    """What can be asked for, with the weights and the blur in ``path``."""
    torch.set_num_threads(2)
    _, x, velocity = clouds(case)
    start, *targets = map(torch.from_numpy, x)
    velocity = torch.from_numpy(velocity)
    saved = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
    blur = float(saved.pop("blur"))
    saved["head.bias"] = saved["head.bias"].reshape(1)
    potential = Potential(case)
    potential.load_state_dict(saved)
    log_friction = nn.Parameter(torch.tensor(FRICTION).log())
    # The published sweep of blurs, and a slow one for comparing the peers.
    loss, converged = (
        SamplesLoss("sinkhorn", p=case.p, blur=blur, scaling=s, backend="tensorized")
        for s in (0.9, 0.97)
    )
    network = list(potential.parameters())
    # Rates of zero, so that every step does the same from the same weights.
    optimizer = torch.optim.AdamW([*network, log_friction], lr=0.0)
    average = [p.detach().clone() for p in network]

    def force(x: Tensor, through: bool) -> Tensor:
        x = x if through and x.requires_grad else x.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(potential(x).sum(), x, create_graph=through)
        return -slope

    def value(through: bool, loss: SamplesLoss) -> Tensor:
        friction = (log_friction if through else log_friction.detach()).exp()
        m = torch.exp(-friction / 2)
        c = (1 + friction) * (1 - m) / friction
        x, v = start, velocity
        f, total = force(x, through), 0.0
        for k, target in enumerate(targets):
            half = m * v + c * f
            x = x + half
            total = total + loss(x, target)
            if k < len(targets) - 1:
                f = force(x, through)
                v = m * half + c * f
        return total / len(targets)

    def forward() -> float:
        return float(value(False, loss))

    def gradient(loss: SamplesLoss = loss) -> float:
        optimizer.zero_grad()
        total = value(True, loss)
        total.backward()
        return float(total.detach())

    def export() -> float:
        number = gradient(converged)
        # The bias of the head has none: no force depends on it.
        slopes = {
            name: (torch.zeros_like(p) if p.grad is None else p.grad).numpy()
            for name, p in potential.named_parameters()
        }
        np.savez(path.replace(".npz", "_torch.npz"), **slopes)
        return number

    def step() -> float:
        number = gradient()
        nn.utils.clip_grad_norm_([*network, log_friction], 1.0)
        optimizer.step()
        with torch.no_grad():
            for mean, p in zip(average, network, strict=True):
                mean.lerp_(p, 0.01)
        return number

    square = torch.randn(2048, 2048)
    return {
        "forward": forward,
        "gradient": gradient,
        "export": export,
        "step": step,
        "matmul": lambda: float((square @ square)[0, 0]),
    }


if __name__ == "__main__":
    serve(tasks(CASES[sys.argv[1]], sys.argv[2]))
