# SPDX-License-Identifier: GPL-3.0-or-later
"""MANO files: what is read from them, in every way they are written; and that what is hostile or broken runs and fills nothing."""

import os
import pickle
import random
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from backend.s2c.inert_arrays import is_array_name
from backend.s2c.inert_pickle import read_pickle
from backend.s2c.mano import read_mano
from s2c_blender.wire.errors import PianoHandsError
from tests.mano_files import (
    TIPS,
    WRIST,
    chumpy_array,
    chumpy_selection,
    foreign,
    mano_arrays,
    published,
    python2_pickle,
    sparse,
)

ARRAYS = mano_arrays()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "MANO_RIGHT.pkl"


def refused(path: Path, word: str) -> None:
    with pytest.raises(PianoHandsError, match=word) as caught:
        read_mano(path)
    assert caught.value.code == "bad-mano" and caught.value.hint


def _save(path: Path, way: str) -> None:
    if way == "published":
        path.write_bytes(python2_pickle(published(ARRAYS)))
    elif way == "chumpy everywhere":
        arrays = {name: chumpy_array(value) if isinstance(value, np.ndarray) else value for name, value in ARRAYS.items()}
        path.write_bytes(python2_pickle(arrays))
    elif way == "new scipy":
        path.write_bytes(python2_pickle(ARRAYS | {"J_regressor": sparse(ARRAYS["J_regressor"], "scipy.sparse._csc")}))
    elif way == "other order":
        turned = {name: np.asfortranarray(value) if isinstance(value, np.ndarray) else value for name, value in ARRAYS.items()}
        path.write_bytes(python2_pickle(turned | {"v_template": ARRAYS["v_template"].astype(">f8")}))
    elif way == "npz":
        with open(path, "wb") as stream:
            np.savez(stream, **ARRAYS)
    else:
        path.write_bytes(pickle.dumps(ARRAYS, protocol=int(way)))


@pytest.mark.parametrize("way", ["published", "chumpy everywhere", "new scipy", "other order", "npz", "2", "3", "4", "5"])
def test_every_way_a_hand_is_written_gives_the_same_numbers(file: Path, way: str) -> None:
    _save(file, way)
    mano = read_mano(file)
    hand = mano.hand
    for ours, name in ((hand.vertices, "v_template"), (hand.weights, "weights"), (hand.bends, "posedirs"), (hand.faces, "f")):
        np.testing.assert_array_equal(ours, ARRAYS[name])
    np.testing.assert_allclose(hand.regressor, ARRAYS["J_regressor"], atol=1e-15)
    np.testing.assert_array_equal(mano.convention.mean_pose[1:].ravel(), ARRAYS["hands_mean"])
    assert not mano.convention.mean_pose[0].any()
    np.testing.assert_allclose(mano.convention.wrist, WRIST, atol=1e-9)
    assert tuple(hand.tips) == TIPS


def test_the_made_up_file_is_a_pickle_that_python_itself_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select"), ("scipy.sparse.csc", "csc_matrix")):
        for package in (module.partition(".")[0], module.rpartition(".")[0], module):
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
        monkeypatch.setattr(sys.modules[module], name, type(name, (), {}), raising=False)
    read = pickle.loads(python2_pickle(published(ARRAYS)), encoding="latin1")
    np.testing.assert_array_equal(read["posedirs"], ARRAYS["posedirs"])
    shapes = read["shapedirs"]
    np.testing.assert_array_equal(shapes.a.x.ravel()[shapes.idxs].reshape(shapes.preferred_shape), ARRAYS["shapedirs"])
    assert read["J_regressor"]._shape == (16, 778)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda a: a.pop("weights"), "lacks weights"),
        (lambda a: a.update(hands_mean=np.zeros(44)), r"hands_mean holds the shape \(44,\)"),
        (lambda a: a.update(v_template=a["v_template"] * [-1, 1, 1]), "left hand"),
        (lambda a: a.update(v_template=a["v_template"] * 1000), "as large as a hand"),
        (lambda a: a.update(v_template=a["v_template"] * np.nan), "no number"),
        (lambda a: a.update(f=a["f"] + 1), "faces"),
        (lambda a: a.update(weights=a["weights"] * 0.5), "weights"),
        (lambda a: a.update(kintree_table=a["kintree_table"][:, ::-1].copy()), "joints"),
        (lambda a: a.update(posedirs="text"), "posedirs holds str"),
        (lambda a: a.update(posedirs=None), "posedirs holds NoneType"),
        (lambda a: a.update(weights=np.array([["x"] * 16] * 778)), "weights holds"),
        (lambda a: a.update(weights=np.array([[None] * 16] * 778)), "weights holds"),
        (lambda a: a.update(posedirs=chumpy_selection(a["posedirs"], 135)), "formula"),
        (lambda a: a.update(J_regressor=foreign("scipy.sparse.csr", "csr_matrix", data=1)), "J_regressor holds"),
    ],
)
def test_what_is_no_right_hand_is_refused_with_its_fault(file: Path, change: Callable[[Any], Any], word: str) -> None:
    arrays = mano_arrays()
    change(arrays)
    file.write_bytes(python2_pickle(arrays))
    refused(file, word)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"indptr": np.arange(779) * 2**40},
        {"indptr": np.zeros(779, np.int64)},
        {"indptr": np.full(779, np.nan)},
        {"indptr": np.zeros(1, np.int32)},
        {"indices": np.full(16 * 778, 16, np.int32)},
        {"indices": np.full(16 * 778, -1, np.int32)},
        {"indices": np.zeros(3, np.int32)},
        {"data": np.zeros((16 * 778, 1))},
        {"_shape": (10**9, 10**9)},
        {"_shape": None},
    ],
)
def test_a_sparse_matrix_that_lies_is_refused(file: Path, spoilt: dict[str, Any]) -> None:
    matrix = sparse(ARRAYS["J_regressor"])
    matrix.__dict__.update(spoilt)
    file.write_bytes(python2_pickle(ARRAYS | {"J_regressor": matrix}))
    refused(file, "J_regressor holds")


def test_no_file_and_what_is_none_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(PianoHandsError) as caught:
        read_mano(file)
    assert caught.value.code == "no-file"
    refused(tmp_path, "cannot be read")
    for data, word in (
        (b"", "no MANO"),
        (b"<html>Sign in</html>", "no MANO"),
        (pickle.dumps({}, protocol=0), "protocol 2"),
        (pickle.dumps([1, 2], protocol=2), "named arrays"),
        (pickle.dumps({}, protocol=2), "lacks v_template"),
        (b"PK\x03\x04 not an archive", "cut off"),
    ):
        file.write_bytes(data)
        refused(file, word)


def test_a_file_larger_than_any_hand_is_refused(file: Path) -> None:
    with open(file, "wb") as stream:
        stream.truncate(10**9)
    refused(file, "larger than")


class _Call:
    """Pickled as the call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _named(module: str, name: str) -> bytes:
    """Calls a function with one word."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"U\x03ran\x85R."


@pytest.mark.parametrize(
    "data",
    [
        *(_named(*names) for names in (("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "eval"))),
        *(_named(*names) for names in (("builtins", "getattr"), ("numpy", "load"), ("numpy.core.multiarray", "fromfile"))),
        *(_named(*names) for names in (("numpy.f2py.crackfortran", "myeval"), ("numpy.testing._private.utils", "runstring"))),
        *(_named(*names) for names in (("pickle", "loads"), ("chumpyx", "run"), ("scipy", "sparse"), ("builtins", "set\0"))),
        b"\x80\x02(U\x03ranios\nsystem\n.",  # INST
        b"\x80\x02(cnumpy\ndtype\nU\x03rano.",  # OBJ
        b"\x80\x02\x82\x01.",  # a class by a number of the extension registry
        b"\x80\x02U\x03ranQ.",  # a persistent name
        b"\x80\x04\x8c\x02os\x8c\x06system\x93U\x04ran\x85R.",  # STACK_GLOBAL
        b"\x80\x04\x8c\x02osK\x01\x93.",  # STACK_GLOBAL with a number
        b"\x80\x05\x97.",  # a buffer from outside
    ],
)
def test_names_that_no_hand_needs_are_refused_and_nothing_runs(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    refused(file, "asks for|instruction|named arrays")


def test_a_hostile_object_inside_a_good_file_runs_nothing(file: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    for call in (_Call(os.system, f"touch {trace}"), _Call(eval, f"open({str(trace)!r}, 'w')"), _Call(open, str(trace), "w")):
        for data in (pickle.dumps(ARRAYS | {"extra": call}, protocol=4), pickle.dumps(ARRAYS | {"f": call}, protocol=2)):
            file.write_bytes(data)
            refused(file, "asks for")
    inside = np.array([_Call(os.system, f"touch {trace}")], dtype=object)
    file.write_bytes(pickle.dumps(ARRAYS | {"weights": inside}, protocol=2))
    refused(file, "asks for")
    assert not trace.exists()


def test_known_classes_are_never_called(file: Path) -> None:
    """What may be named is inert, even given arguments that the real ones would choke on or execute."""
    for name in ("numpy\ndtype", "numpy\nndarray", "numpy.core.multiarray\n_reconstruct", "chumpy.ch\nCh", "__builtin__\nset"):
        file.write_bytes(b"\x80\x02}U\x07weightsc" + name.encode() + b"\n(J\xff\xff\xff\x7fU\x01OtRs.")
        refused(file, "lacks v_template")


@pytest.mark.parametrize(
    "body",
    [
        b"}K\x01b.",  # a state for a dict
        b"cnumpy\ndtype\n}b.",  # for a class
        b"cnumpy\ndtype\n)R}b}b.",  # twice
        b"cnumpy\ndtype\n)RN\x86}R.",  # calls a tuple
        b"cnumpy\ndtype\nK\x01R.",  # arguments that are none
        b"K\x01K\x02a.",  # appends to a number
        b"NK\x01K\x02s.",  # an entry for None
        b"](K\x01u.",  # entries for a list
        b"}(K\x01u.",  # half an entry
        b"\x85.",
        b"e.",
        b"h\x05.",
        b"0.",
        b".",
        b"K\x01",
        b"\x80\x02}(U\x01a",
        b"\x8b\xff\xff\xff\x7f.",
        b"T\xff\xff\xff\x7fx.",
        b"X\xff\xff\xff\xffx.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx.",
        b"r\xff\xff\xff\xff.",
        b"NNNr\xff\xff\xff\x7f0j\xff\xff\xff\xff.",
    ],
)
def test_instructions_that_do_not_fit_are_refused_without_memory(file: Path, body: bytes) -> None:
    file.write_bytes(b"\x80\x02" + body)
    tracemalloc.start()
    refused(file, "no MANO hand")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def _array_pickle(shape: bytes, kind: bytes = b"U\x02f8", data: bytes = b"U\x08" + bytes(8)) -> bytes:
    """{'v_template': an array with that shape, type and bytes}."""
    return (
        b"\x80\x02}U\x0av_templatecnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + shape
        + b"cnumpy\ndtype\n"
        + kind
        + b"\x85R"
        + b"\x89"
        + data
        + b"tbs."
    )


@pytest.mark.parametrize(
    "data",
    [
        _array_pickle(b"J\xff\xff\xff\x7f\x85"),
        _array_pickle(b"J\xff\xff\xff\xff\x85"),
        _array_pickle(b"J\xff\xff\xff\x7f" * 3 + b"\x87"),
        _array_pickle(b"\x8a\x09" + b"\xff" * 8 + b"\x7f\x85"),
        _array_pickle(b"(" + b"K\x01" * 100 + b"t"),
        _array_pickle(b"N"),
        _array_pickle(b"U\x01a\x85"),
        _array_pickle(b"\x88\x85"),
        _array_pickle(b"K\x01\x85", kind=b"U\x02O8"),
        _array_pickle(b"K\x01\x85", kind=b"U\x05V9999"),
        _array_pickle(b"K\x01\x85", kind=b"U\x0cf8,f8,(3,)i4"),
        _array_pickle(b"K\x01\x85", kind=b"]"),
        _array_pickle(b"K\x01\x85", data=b"U\x01x"),
        _array_pickle(b"K\x01\x85", data=b"](cnumpy\ndtype\ne"),
        _array_pickle(b"K\x01\x85", data=b"X\x02\x00\x00\x00\xc4\x80"),
        _array_pickle(b"K\x01\x85", data=b"c_codecs\nencode\nU\x01xU\x03rot\x86R"),
        _array_pickle(b"K\x01\x85", data=b"c_codecs\nencode\n)R"),
    ],
)
def test_arrays_that_lie_are_refused_without_memory(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    tracemalloc.start()
    refused(file, "v_template holds")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_an_object_within_itself_is_refused(file: Path) -> None:
    file.write_bytes(b"\x80\x02}U\x0av_templatecchumpy.ch\nCh\n)\x81q\x01}U\x01xh\x01sbs.")
    refused(file, "v_template holds")


def test_tuples_that_double_cost_no_time(file: Path) -> None:
    """Hashed or compared, sixty tuples that each hold the last one twice would take 2 ** 60 steps."""
    doubled = b")" + b"2\x86" * 60
    for body in (b"}" + doubled + b"K\x01s.", b"}U\x01fcnumpy\ndtype\n" + doubled + b"\x85Rs.", _array_pickle(doubled)[2:]):
        begin = time.monotonic()
        file.write_bytes(b"\x80\x02" + body)
        refused(file, "tuples within tuples")
        assert time.monotonic() - begin < 1.0


def test_too_many_instructions_are_refused(file: Path) -> None:
    file.write_bytes(b"\x80\x02" + b"N0" * 10**6 + b".")
    refused(file, "instructions without end")


def test_every_cut_and_many_a_changed_byte_is_an_error_of_ours_or_a_value() -> None:
    arrays = published({name: value for name, value in ARRAYS.items() if name != "posedirs"})
    small = {name: value[:3] if isinstance(value, np.ndarray) else value for name, value in arrays.items()}
    whole, chance = python2_pickle(small), random.Random(1)
    begins = [0, *(place for place in range(0, len(whole), 997))]
    for place in begins:
        with pytest.raises(ValueError):
            read_pickle(whole[:place], known=is_array_name)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data[: chance.choice((0, 0, 2))] = struct.pack("<H", 0x0280)[: chance.choice((0, 2))]
        try:
            read_pickle(bytes(data), known=is_array_name)
        except ValueError as error:
            assert str(error)
