"""What `import wflow` gives and no room tables."""

ROOM = "wflow"

TABLE = {"open_run": "opens the folder of a run: see tests/cli/test_auto.py"}
