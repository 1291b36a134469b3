"""Populations that move: measures, energies, geometries and flows in JAX.

Declare a flow from an energy and a geometry, put a measure in, ``solve``; compare with
``transport``, ``fit`` to snapshots. The most used names are here, the rest in the
rooms: ``energies``, ``kernels``, ``transport``, ``populations`` and so on. What is here
is listed in ``__init__.pyi``, and loaded when it is first used.
"""

import lazy_loader


__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
