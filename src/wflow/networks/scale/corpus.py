"""The text that every Python brings along, as bytes."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from wflow.checks import shape, within


VOCABULARY = 128


@dataclass(frozen=True)
class Corpus:
    """A text in bytes modulo 128, its end held out.

    Attributes:
        train: all but the end, as ``(n,)`` numbers below 128.
        validation: the end.
        characters: length of the whole text.
        sha256: of the text in UTF-8.
    """

    train: UInt8[np.ndarray, " n"]
    validation: UInt8[np.ndarray, " m"]
    characters: int
    sha256: str


def python_topics(held_out: float = 0.05) -> Corpus:
    """The strings of ``pydoc_data.topics`` by sorted key, joined by newlines.

    The help texts of the language, a part of its standard library: 465,048 characters
    in Python 3.11, others in other versions, which ``sha256`` tells apart.

    Args:
        held_out: share of the bytes, at the end, for validation.

    Raises:
        ValueError: a share that is not inside (0, 1).
    """
    shape("python_topics", "held_out", held_out, ())
    within("python_topics", "held_out", held_out, 0, 1, closed="neither")
    from pydoc_data.topics import topics

    text = "\n".join(topics[key] for key in sorted(topics))
    raw = text.encode()
    tokens = (np.frombuffer(raw, np.uint8) % VOCABULARY).astype(np.uint8)
    cut = round(len(tokens) * (1 - held_out))
    return Corpus(
        tokens[:cut], tokens[cut:], len(text), hashlib.sha256(raw).hexdigest()
    )
