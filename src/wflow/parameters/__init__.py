"""Which numbers of a model may be learned."""

from .learnable import Learnable


__all__ = [
    "Learnable",
]
