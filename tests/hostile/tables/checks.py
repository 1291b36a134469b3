"""The checks themselves: what they refuse is tested beside them."""

ROOM = "wflow.checks"

TABLE = {
    name: "a check of other arguments; tests/checks"
    for name in (
        "at_least_single",
        "cast",
        "count",
        "covariance",
        "finite",
        "function",
        "increasing",
        "instance",
        "known",
        "named",
        "non_negative",
        "one_number",
        "one_of",
        "plain_errors",
        "positive",
        "random_key",
        "real_field",
        "require",
        "returned",
        "shape",
        "to_numpy",
        "to_real",
        "weights",
        "within",
    )
}
