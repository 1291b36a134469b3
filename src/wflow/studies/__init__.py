"""Experiments that configs describe and the command runs: studies.

A study is four things in one file, ``studies/<domain>/<name>.py``: parameters,
``run`` from parameters to arrays, ``report`` and ``figures`` from arrays. Modules of
studies are imported when they are asked for, by ``load``.
"""

import lazy_loader


# The command reads configs before it needs JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
