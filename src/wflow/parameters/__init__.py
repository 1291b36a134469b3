"""Floor 0: which numbers of a model may be learned."""

from .learnable import Learnable, unwrap


__all__ = ["Learnable", "unwrap"]
