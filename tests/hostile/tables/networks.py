"""The rooms of networks, each with a table of its own."""

ROOM = "wflow.networks"

TABLE = {
    name: "a room" for name in ("attention", "canonical", "chaos", "saddle", "scale")
}
