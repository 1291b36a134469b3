"""Floor 7: the command ``wflow``."""


def main() -> None:
    """The entry point of the command."""
    from .app import app
    from .threads import widen_pool

    widen_pool()
    app()


__all__ = ["main"]
