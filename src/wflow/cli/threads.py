"""Threads of XLA and of LAPACK below it."""

import os

from threadpoolctl import threadpool_limits


# More than the factorizations that a program here has under way at once.
_LEAST = 16


def set_threads(*, small_matrices: bool) -> None:
    """Choose the threads before JAX's first computation.

    A batched factorization (under ``vmap``) of jaxlib 0.10 is shared out to XLA's pool,
    and the thread of the pool that runs it waits for the others: as many of them at
    once as the pool has threads wait for ever. Where cores are few the pool gets more
    threads; JAX reads ``NPROC``, which is kept where it is set.

    Args:
        small_matrices: the program factorizes many small matrices, for which a thread
            of LAPACK is faster than several.
    """
    if (os.cpu_count() or 1) < _LEAST:
        os.environ.setdefault("NPROC", str(_LEAST))
    if small_matrices:
        threadpool_limits(1, user_api="blas")
