"""Which arrays of a model weight decay should act on."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.tree_util as jtu
from jaxtyping import PyTree

from wflow.checks import function, one_of

from .scales import ROLES, AbstractRoled, Role


DECAYED: frozenset[Role] = frozenset({"matrix", "scale_in", "scale_out"})
# Scales only: directions and biases keep their role where a norm's role is overridden.
_KEPT: frozenset[Role] = frozenset({"direction", "bias"})

Overrides = Mapping[Role, Callable[[Any], Any]]


def roles(model: Any, role_overrides: Overrides | None = None) -> PyTree[Role]:
    """The role of every floating-point array, None for all other leaves.

    A role is declared by the module that owns the array: the layers here and
    ``equinox.nn.Linear``, ``Embedding`` and ``Conv``. Neither names nor shapes count.
    In an ``equinox.nn.WeightNorm`` the normalized array is a direction, and its
    magnitudes play the role of the matrix, whose rows they are the lengths of.

    Args:
        model: any pytree of modules.
        role_overrides: for a role the part, or tuple of parts, of the model whose
            arrays play it: ``{"scale_output_norm": lambda model: model.norm}``.
            Directions and biases keep theirs.

    Raises:
        ValueError: an array of which no module says what it is, an unknown role, or an
            override of what is not a part of the model.
    """
    overridden = _parts(model, role_overrides or {})
    met = set()

    def role(path: Any, leaf: Any) -> Role | None:
        if not eqx.is_inexact_array(leaf):
            return None
        node, forced = model, overridden.get(id(model))
        owner, field, normalized = None, "", None
        for key in path:
            if isinstance(node, eqx.Module):
                normalized = None
                if isinstance(owner, eqx.nn.WeightNorm):
                    normalized = owner.weight_name
                owner, field = node, key.name
            node = _child(node, key)
            if id(node) in overridden:
                forced = overridden[id(node)]
                met.add(id(node))
        declared = "direction" if field == normalized else _declared(owner, field)
        if forced is not None and declared not in _KEPT:
            return forced
        if declared is None:
            raise ValueError(
                f"roles: no module says what the array model{jtu.keystr(path)} is, so "
                "whether to decay it is not known; name its role in role_overrides."
            )
        return declared

    found = jtu.tree_map_with_path(role, model)
    if lost := [overridden[part] for part in overridden if part not in met]:
        raise ValueError(
            f"roles: expected role_overrides to point at modules or arrays of the "
            f"model, which for {', '.join(map(repr, lost))} they do not."
        )
    return found


def decay_mask(
    model: Any,
    decayed: Collection[Role] = DECAYED,
    role_overrides: Overrides | None = None,
) -> PyTree[bool]:
    r"""Which parameters weight decay is good for: a mask for Optax.

    True at matrices and the scales that one can absorb; never at the scales of an
    Output-Norm, which nothing upstream can replace: decay $\lambda$ moves their optimum
    from $g^*$ to $g^*/(1 + \lambda)$; nor at directions and biases. Fits
    ``equinox.filter(model, equinox.is_inexact_array)``.

    Args:
        model: any pytree of modules.
        decayed: the roles to decay.
        role_overrides: as in ``roles``.

    Raises:
        ValueError: an unknown role, or an array without one.
    """
    if isinstance(decayed, str) or not isinstance(decayed, Collection):
        raise TypeError(
            "decay_mask: expected decayed to be a set of roles, found "
            f"{type(decayed).__name__}."
        )
    for role in decayed:
        one_of("decay_mask", "every role of decayed to be", role, ROLES)
    return jax.tree.map(lambda role: role in decayed, roles(model, role_overrides))


def _child(node: Any, key: Any) -> Any:
    match key:
        case jtu.GetAttrKey():
            return getattr(node, key.name)
        case jtu.SequenceKey():
            return node[key.idx]
        case jtu.DictKey():
            return node[key.key]
    raise ValueError(f"roles: cannot look into {type(node).__name__}.")


def _declared(owner: Any, field: str) -> Role | None:
    match owner:
        case AbstractRoled():
            return owner.role_of(field)
        case eqx.nn.Linear() | eqx.nn.Conv() | eqx.nn.ConvTranspose():
            return "matrix" if field == "weight" else "bias"
        case eqx.nn.Embedding() | eqx.nn.WeightNorm():
            return "matrix"
    return None


def _parts(model: Any, role_overrides: Overrides) -> dict[int, Role]:
    found: dict[int, Role] = {}
    if not isinstance(role_overrides, Mapping):
        raise TypeError(
            "roles: expected role_overrides to be a mapping of roles to functions, "
            f"found {type(role_overrides).__name__}."
        )
    for role, where in role_overrides.items():
        one_of("roles", "every key of role_overrides to be", role, ROLES)
        function("roles", f"role_overrides[{role!r}]", where, "the model")
        parts = where(model)
        for part in parts if isinstance(parts, tuple | list) else (parts,):
            found[id(part)] = role
    return found
