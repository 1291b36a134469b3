"""Models whose canonical geometry is known, and tight solver options."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp


TIGHT = {
    "solver": diffrax.Dopri8(),
    "stepsize_controller": diffrax.PIDController(1e-10, 1e-12),
}


class Product(eqx.Module):
    """f(x) = u (v . x): gradient flow keeps u^2 - |v|^2 along what x spans."""

    u: jax.Array
    v: jax.Array

    def __call__(self, x):
        return self.u * (self.v @ x)


# One input: the second entry of v is never trained, and u v_1 is the output.
X1 = jnp.array([[1.0, 0.0]])
X2 = jnp.array([0.0, 1.0])


def product(u, v, w=0.0):
    """The toy of two parameters, and w for the input that is not trained on."""
    return Product(jnp.asarray(u, float), jnp.array([v, w], float))


class Outer(eqx.Module):
    """Two outputs: u v, or A theta for a theta of three numbers, where a is one.

    A and a do not move, and lie in no Jacobian.
    """

    theta: jax.Array
    matrix: jax.Array
    a: jax.Array

    def __call__(self, x):
        a, matrix = jax.lax.stop_gradient((self.a, self.matrix))
        u, v = self.theta[0], self.theta[1:]
        return x * (a * (matrix @ self.theta) + (1 - a) * u * v)


ONE = jnp.ones(1)
MATRIX = jnp.array([[1.0, 0.5, -0.3], [0.2, -1.0, 0.8]])


def outer(theta, linear=False):
    """The model with leaves, or one whose Jacobian is constant."""
    return Outer(jnp.asarray(theta, float), MATRIX, jnp.asarray(1.0 * linear))
