"""Read snapshots from files, and write them."""

import lazy_loader


# The command looks at files before it needs JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
