"""YAML of bounded size: no key twice, no reference to itself, no number too large."""

import codecs
import re
from typing import Any

import yaml


# Far beyond any config; what is larger is a mistake or a bomb of aliases.
MOST_BYTES = 1_000_000
MOST_VALUES = 200_000
MOST_LEVELS = 50

_INT64 = 2**63


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers: PyYAML reads 1e-3 as a string."""


_Loader.yaml_implicit_resolvers = {
    first: list(resolvers)
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse_yaml(text: str | bytes, source: str) -> Any:
    """The value of a YAML text, UTF-8 or UTF-16 where it is bytes.

    Raises:
        ValueError: it is no YAML, has a key twice, or is larger than the limits of
            this module; ``source`` begins the sentence.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(
            f"{source}: expected at most {MOST_BYTES:,} bytes of YAML, found "
            f"{len(text):,}."
        )
    loader = None
    try:
        loader = _Loader(_decoded(text))
        node = loader.get_single_node()
        if node is None:
            return None
        _Size(source).of(node, 1)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "is not valid YAML"
        raise ValueError(f"{source}{where}: {problem}.") from None
    except UnicodeDecodeError:
        raise ValueError(
            f"{source}: expected text in UTF-8, found other bytes."
        ) from None
    except RecursionError:
        raise ValueError(_too_deep(source)) from None
    except ValueError as error:
        # A date that does not exist, an integer of thousands of digits.
        problem = str(error).partition(";")[0]
        raise ValueError(f"{source}: a value cannot be read: {problem}.") from None
    finally:
        if loader is not None:
            loader.dispose()


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16")
    return text.decode("utf-8-sig")


def _too_deep(source: str) -> str:
    return f"{source}: expected at most {MOST_LEVELS} levels of YAML, found more."


class _Size:
    """How many values a node stands for, every alias counted as what it repeats."""

    def __init__(self, source: str):
        self.source = source
        self.known: dict[int, int] = {}
        self.above: set[int] = set()

    def of(self, node: yaml.Node, level: int) -> int:
        """The number of values.

        Raises:
            ValueError: too many or too deep, a key twice, or a node inside itself.
        """
        here = id(node)
        if here in self.known:
            return self.known[here]
        where = f"{self.source}, line {node.start_mark.line + 1}"
        if here in self.above:
            raise ValueError(f"{where}: an alias stands inside what it repeats.")
        if level > MOST_LEVELS:
            raise ValueError(_too_deep(self.source))
        self.above.add(here)
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        elif node.tag == "tag:yaml.org,2002:int":
            self._refuse_huge(node, where)
        size = 1 + sum(self.of(child, level + 1) for child in children)
        if size > MOST_VALUES:
            raise ValueError(
                f"{where}: expected at most {MOST_VALUES:,} values, found more once "
                "every alias is put in."
            )
        self.above.remove(here)
        self.known[here] = size
        return size

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                raise ValueError(
                    f"{self.source}: the key {key.value} is given twice, in lines "
                    f"{lines[key.tag, key.value]} and {line}; keep one."
                )
            lines[key.tag, key.value] = line

    def _refuse_huge(self, node: yaml.Node, where: str) -> None:
        value = node.value.replace("_", "")
        # Python reads no integer of more than 4300 digits, and arrays hold none of 20.
        if len(value) > 80 or not -_INT64 <= _integer(value) < _INT64:
            raise ValueError(
                f"{where}: expected integers between -2^63 and 2^63, found one of "
                f"{len(value)} characters."
            )


def _integer(text: str) -> int:
    """What YAML's constructor makes of it; 0 where that is for it to refuse."""
    try:
        return int(text, 8 if re.fullmatch(r"[-+]?0[0-7]+", text) else 0)
    except ValueError:
        return 0
