# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a pickle as data, without Python's unpickler: what the file names is never looked up, imported or called.

A small machine for the instructions by which protocols 2 to 5 write dicts, lists, numbers, text and objects
(https://docs.python.org/3/library/pickletools.html). What the file wants made by calling something becomes an `Inert`, which
only remembers what it is of.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_INSTRUCTIONS = 1_000_000  # a hand model has a few hundred, a checkpoint some ten thousand
_DEEPEST = 16  # tuples within tuples

#: Numbers and text that stand in the file itself.
_VALUES = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
}
_IGNORED = frozenset(("PROTO", "FRAME"))


@dataclass(frozen=True)
class Named:
    """A class or function that the file names, by its full name. It is never looked up."""

    name: str


@dataclass
class Inert:
    """What would have been made by calling `name` with `arguments` and giving it `state`."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


def read_pickle(data: bytes, *, known: Callable[[str], bool]) -> Any:
    """What the file holds, with an `Inert` for every object. `known` says which names may occur in it.

    Raises ValueError that says what is wrong. Takes time and memory in proportion to the data.
    """
    machine = _Machine(known)
    try:
        for count, (instruction, argument, place) in enumerate(pickletools.genops(data)):
            if place == 0 and instruction.name != "PROTO":
                raise ValueError("it is no pickle of protocol 2 or later")
            if count > MOST_INSTRUCTIONS:
                raise ValueError("it has instructions without end")
            if instruction.name == "STOP":
                return machine.pop()
            machine.do(instruction.name, argument)
    except (IndexError, KeyError) as error:
        raise ValueError(f"its instructions do not fit together ({type(error).__name__})") from error
    except (OverflowError, MemoryError) as error:
        raise ValueError(f"it holds a number out of bounds ({error})") from error
    raise ValueError("it ends in the middle")


class _Machine:
    """A stack, marks in it, and what the file wants remembered. Raises IndexError and KeyError where these run dry."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._stack = list[Any]()
        self._marks = list[int]()
        self._memory = dict[int, Any]()
        self._depths = dict[int, tuple[int, Any]]()
        self._others: dict[str, Callable[[Any], object]] = {
            "MARK": lambda _: self._marks.append(len(self._stack)),
            "POP": lambda _: self.pop(),
            "POP_MARK": lambda _: self._to_mark(),
            "DUP": lambda _: self._stack.append(self._stack[-1]),
            "TUPLE": lambda _: self._tuple(self._to_mark()),
            "TUPLE1": lambda _: self._tuple(self._take(1)),
            "TUPLE2": lambda _: self._tuple(self._take(2)),
            "TUPLE3": lambda _: self._tuple(self._take(3)),
            "FROZENSET": lambda _: self._stack.append(self._to_mark()),
            "APPEND": lambda _: self._extend([self.pop()]),
            "APPENDS": lambda _: self._extend(self._to_mark()),
            "ADDITEMS": lambda _: self._extend(self._to_mark()),
            "SETITEM": lambda _: self._set(self._take(2)),
            "SETITEMS": lambda _: self._set(self._to_mark()),
            "BINPUT": self._remember,
            "LONG_BINPUT": self._remember,
            "MEMOIZE": lambda _: self._remember(len(self._memory)),
            "BINGET": lambda index: self._stack.append(self._memory[index]),
            "LONG_BINGET": lambda index: self._stack.append(self._memory[index]),
            "GLOBAL": lambda text: self._name(*text.split(" ", 1)),
            "STACK_GLOBAL": lambda _: self._name(*self._take(2)),
            "REDUCE": lambda _: self._make(*self._take(2)),
            "NEWOBJ": lambda _: self._make(*self._take(2)),
            "BUILD": lambda _: self._give_state(self.pop()),
            "BINPERSID": lambda _: self._stack.append(Inert("", (self.pop(),))),
        }

    def do(self, instruction: str, argument: Any) -> None:
        if instruction in _VALUES:
            self._stack.append(argument)
        elif instruction in _CONSTANTS:
            self._stack.append(_CONSTANTS[instruction]())
        elif instruction in self._others:
            self._others[instruction](argument)
        elif instruction not in _IGNORED:
            raise ValueError(f"it holds the instruction {instruction}, which is not needed here")

    def pop(self) -> Any:
        return self._stack.pop()

    def _take(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("stack")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _to_mark(self) -> list[Any]:
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _tuple(self, items: list[Any]) -> None:
        """Tuples that hold each other twice, and so on, take for ever to compare or to hash: they may only be so deep."""
        made = tuple(items)
        depth = 1 + max((self._depths[id(item)][0] for item in items if isinstance(item, tuple) and item), default=0)
        if depth > _DEEPEST:
            raise ValueError("it holds tuples within tuples without end")
        self._depths[id(made)] = depth, made  # kept, so that its id stays its own
        self._stack.append(made)

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError("it adds to what is no list")
        target.extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict | Inert) or len(items) % 2:
            raise ValueError("it writes into what is no dict")
        if isinstance(target, Inert):  # a dict of another class: nobody reads it
            return
        # Entries under anything but text are let go: nobody reads them either.
        target.update({key: value for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, str)})

    def _remember(self, index: int) -> None:
        self._memory[index] = self._stack[-1]

    def _name(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else ""
        full = full.replace("__builtin__.", "builtins.").replace("numpy._core.", "numpy.core.")
        if not self._known(full):
            raise ValueError(
                f"it asks for {full or 'something without a name'}, which is not needed here and could run foreign code"
            )
        self._stack.append(Named(full))

    def _make(self, called: Any, arguments: Any) -> None:
        if not isinstance(called, Named) or not isinstance(arguments, tuple):
            raise ValueError("it calls what has no name")
        self._stack.append(Inert(called.name, arguments))

    def _give_state(self, state: Any) -> None:
        target = self._stack[-1]
        if not isinstance(target, Inert) or target.state is not None:
            raise ValueError("it gives a state to what takes none")
        target.state = state
