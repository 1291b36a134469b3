"""Figures; every function returns a matplotlib ``Figure``, none shows it."""

import lazy_loader


# Some draw what a room computes that others need not load.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
