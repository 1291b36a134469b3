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


# Where a schema of parameters has a component, until that has one itself.
PLACE = "x-wflow"


class Part:
    """Marks a key of ``Params`` as a component: ``Annotated[Spec, Part(kernels)]``.

    The component is built once when the config is read, so that what its class refuses
    is said before anything is computed; the study builds it again where it is used.

    Args:
        rooms: modules where its class is looked up.
        of: a contract that the class fulfills.
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

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        del schema, handler
        return {PLACE: self}

    def __deepcopy__(self, memo: Any) -> Any:
        # Pydantic copies schemas; modules have no copies.
        return self

    def _checked(self, spec: Any) -> Spec | list[Spec] | None:
        if spec is None and self.optional:
            return None
        if self.needs:
            check_names(spec, self.rooms, self.of, HERE, self.needs)
        else:
            build(spec, self.rooms, self.of, HERE)
        return {"kind": spec} if isinstance(spec, str) else spec


class Options:
    """Marks a key of ``Params`` as arguments of functions.

    ``Annotated[Spec, Options(fit, needs=["flow"])]`` takes those that ``fit`` has, but
    for the ones that the study ``needs`` to give itself; ``options.read(spec, place)``
    builds what stands in it.

    Args:
        functions: whose arguments they are, each that of the first that has it.
        needs: arguments that no config gives.
        check: called with the arguments when the config is read; refuses values.
    """

    def __init__(
        self,
        *functions: Callable[..., Any],
        needs: Sequence[str],
        check: Callable[..., Any],
    ):
        self.functions, self.needs, self.check = functions, tuple(needs), check

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        del source, handler
        return _validated(self._checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        del schema, handler
        return {PLACE: self}

    def __deepcopy__(self, memo: Any) -> Any:
        # Pydantic copies schemas; modules have no copies.
        return self

    def _checked(self, spec: Any) -> Spec:
        made = self.read(spec, HERE)
        try:
            self.check(**made)
        except (TypeError, ValueError) as error:
            said = str(error)
            for function in self.functions:
                said = said.removeprefix(f"{function.__name__}: ")
            raise ValueError(f"{HERE}: {said}") from error
        return spec

    def read(self, spec: Any, place: str = "") -> dict[str, Any]:
        """The arguments, components built.

        Raises:
            ValueError: an argument that is unknown, missing or refused.
        """
        if not isinstance(spec, Mapping):
            raise ValueError(f"expected keys and values, found {shown(spec)}.")
        rest, made = dict(spec), {}
        parameters = [parameters_of(function) for function in self.functions]
        for function, own in zip(self.functions[1:], parameters[1:], strict=True):
            taken = {name: rest.pop(name) for name in own if name in rest}
            made |= arguments_of(taken, function, (), place, {}, self.needs)
        first = self.functions[0]
        also = [name for own in parameters[1:] for name in own]
        made |= arguments_of(rest, first, (), place, {}, self.needs, also)
        for own in parameters:
            refuse_missing({*self.needs, *made}, own, place)
        return made


def _validated(check: Callable[[Any], Any]) -> Any:
    return core_schema.no_info_plain_validator_function(
        check,
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda spec: spec
        ),
    )
