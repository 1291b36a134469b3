"""The rooms of networks, each with a table of its own."""

ROOM = "wflow.networks"

TABLE = dict.fromkeys(("attention", "canonical", "chaos", "saddle", "scale"), "a room")
