"""Packages of the extra ``bayes``, imported where they are used."""

import importlib
from types import ModuleType


def bayes(module: str, purpose: str) -> ModuleType:
    """``module`` of numpyro, arviz or blackjax.

    Raises:
        ModuleNotFoundError: it is not installed; ``purpose`` begins the message.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{purpose} needs the package {module.partition('.')[0]}, which comes with "
            "pip install 'wflow-jax[bayes]'."
        ) from error
