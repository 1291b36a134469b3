"""Keys of parameters that are components, checked when a config is read."""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from pydantic_core import core_schema

from ._build import (
    Spec,
    arguments_of,
    build,
    check_names,
    parameters_of,
    refuse_missing,
)
from ._params import HERE, shown


class Part:
    """Marks a key of ``Params`` as a component: ``Annotated[Spec, Part(kernels)]``.

    The component is built once when the config is read, so that what its class refuses
    is said before anything is computed; the study builds it again where it is used.

    Args:
        rooms: modules where its class is looked up.
        of: a contract that the class fulfils.
        needs: arguments that the study gives itself (see ``build``). Where there are
            any, names alone are checked when the config is read.
        optional: whether there may be none.
    """

    def __init__(
        self,
        *rooms: ModuleType,
        of: Any = object,
        needs: Sequence[str] = (),
        optional: bool = False,
    ):
        self.rooms, self.of, self.needs = rooms, of, tuple(needs)
        self.optional = optional

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        del source, handler
        return _validated(self._checked)

    def _checked(self, spec: Any) -> Spec | list[Spec] | None:
        if spec is None and self.optional:
            return None
        if self.needs:
            check_names(spec, self.rooms, self.of, HERE, self.needs)
        else:
            build(spec, self.rooms, self.of, HERE)
        return {"kind": spec} if isinstance(spec, str) else spec


class Options:
    """Marks a key of ``Params`` as arguments of a function.

    ``Annotated[Spec, Options(fit, needs=["flow"])]`` takes those that ``fit`` has, but
    for the ones that the study ``needs`` to give itself; ``options.read(spec, place)``
    builds what stands in it.

    Args:
        function: the function.
        needs: arguments that no config gives.
        check: called with the arguments when the config is read; refuses values.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        needs: Sequence[str],
        check: Callable[..., None],
    ):
        self.function, self.needs, self.check = function, tuple(needs), check

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        del source, handler
        return _validated(self._checked)

    def _checked(self, spec: Any) -> Spec:
        made = self.read(spec, HERE)
        name = self.function.__name__
        try:
            self.check(**made)
        except (TypeError, ValueError) as error:
            said = str(error).removeprefix(f"{name}: ")
            raise ValueError(f"{HERE}: {said}") from error
        return spec

    def read(self, spec: Any, place: str = "") -> dict[str, Any]:
        """The arguments, components built.

        Raises:
            ValueError: an argument that is unknown, missing or refused.
        """
        if not isinstance(spec, Mapping):
            raise ValueError(f"expected keys and values, found {shown(spec)}.")
        made = arguments_of(spec, self.function, (), place, {}, self.needs)
        refuse_missing({*self.needs, *made}, parameters_of(self.function), place)
        return made


def _validated(check: Callable[[Any], Any]) -> Any:
    return core_schema.no_info_plain_validator_function(
        check,
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda spec: spec
        ),
    )
