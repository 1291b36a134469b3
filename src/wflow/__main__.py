"""``python -m wflow`` is the command ``wflow``."""

from wflow.cli import main


if __name__ == "__main__":
    main()
