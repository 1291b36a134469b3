"""The command ``wflow``."""


def main() -> None:
    """The entry point of the command."""
    from .app import app

    app()


__all__ = ["main"]
