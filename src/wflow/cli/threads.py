"""Threads of XLA on machines with few cores."""

import os


# More than the factorisations that a program here has under way at once.
_LEAST = 16


def widen_pool() -> None:
    """Give XLA's thread pool enough threads where cores are few.

    A batched factorisation (under ``vmap``) is shared out to the pool, and the thread
    of the pool that runs it waits for the others: as many of them at once as the pool
    has threads wait for ever. JAX reads ``NPROC``, which is kept where it is set, at
    its first computation.
    """
    if (os.cpu_count() or 1) < _LEAST:
        os.environ.setdefault("NPROC", str(_LEAST))
