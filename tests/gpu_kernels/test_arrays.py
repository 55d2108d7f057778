"""`gpu_kernels.arrays`: what is packed comes back, and nothing else is let in."""

import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray

from gpu_kernels.arrays import Arrays, as_text, pack, take, to_text, unpack

TYPES = ("u1", "i1", "<u2", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", max_size=32)
ARRAYS = st.dictionaries(
    NAMES,
    nps.arrays(
        st.sampled_from(TYPES).map(np.dtype),
        nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    max_size=6,
)
SAMPLE: Arrays = {
    "boxes": np.arange(12, dtype=np.float32).reshape(3, 4),
    "none": np.zeros((0, 7), np.uint8),
    "one": np.array(2.5),
    "text": as_text("toy/1/numpy"),
}


def entry(name: bytes, place: int, shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """Write one array as `pack` would, whatever it claims."""
    sizes = b"".join(struct.pack("<Q", one) for one in shape)
    return struct.pack("<BBB", len(name), place, len(shape)) + name + sizes + content


def packed(*entries: bytes) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries)


@given(ARRAYS)
def test_what_is_packed_comes_back(arrays: Arrays) -> None:
    read = unpack(pack(arrays))
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape
        assert read[name].tobytes() == array.tobytes()


def test_arrays_that_are_not_in_one_piece_come_back_in_order() -> None:
    turned = np.arange(24, dtype=np.int64).reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    np.testing.assert_array_equal(unpack(pack({"a": turned}))["a"], turned)


def test_what_was_read_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        unpack(pack(SAMPLE))["boxes"][0, 0] = 1


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": np.zeros(2, np.complex128)},
        {"a": np.zeros(2, np.bool_)},
        {"a": np.zeros(2, ">f4")},
        {"a": np.array(["text"])},
        {"a": np.array([object()])},
        {"a": np.zeros((1,) * 5, np.uint8)},
        {"a" * 33: np.zeros(2)},
        {"a" * 300: np.zeros(2)},
        {"\u00e9": np.zeros(2)},
        {str(n): np.zeros(2) for n in range(65)},
    ],
    ids=[
        "complex",
        "flags",
        "other end",
        "letters",
        "objects",
        "five dimensions",
        "long name",
        "endless name",
        "odd name",
        "too many",
    ],
)
def test_what_could_not_be_read_is_not_written(arrays: Arrays) -> None:
    with pytest.raises(ValueError, match=r"too many|:|ascii"):
        pack(arrays)


def test_every_shorter_or_longer_content_is_refused() -> None:
    whole = pack(SAMPLE)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"cut short|no packed"):
            unpack(whole[:length])
    with pytest.raises(ValueError, match="no packed arrays"):
        unpack(whole + b"\0")


@given(ARRAYS, st.data())
def test_altered_bytes_are_refused_or_are_arrays_of_the_same_size(
    arrays: Arrays, data: st.DataObject
) -> None:
    content = bytearray(pack(arrays))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(bytes(content))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_are_arrays_no_larger_than_they(content: bytes) -> None:
    _read_or_refuse(content)


def _read_or_refuse(content: bytes) -> None:
    """Nothing but `ValueError`, and never more numbers than bytes came."""
    try:
        read = unpack(content)
    except ValueError:
        return
    assert sum(array.nbytes for array in read.values()) <= len(content)


HUGE = [
    packed(entry(b"a", 0, (2**40,))),
    packed(entry(b"a", 8, (2**32, 2**32))),
    packed(entry(b"a", 8, (2**62, 4, 1, 1), b"12345678")),
    packed(entry(b"a", 0, (2**64 - 1,) * 4, b"1")),
    packed(entry(b"a", 0, (0, 2**64 - 1))),
    packed(entry(b"a", 0, (2**63, 0))),
]


@pytest.mark.parametrize("content", HUGE, ids=str)
def test_a_shape_that_wraps_around_or_claims_gigabytes_takes_no_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"cut short|dimension|too big"):
            unpack(content)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<H", 65) + bytes(1000),
        packed(entry(b"a", 9, (1,), b"1")),
        packed(entry(b"a", 0, (1,) * 5, b"1")),
        packed(entry(b"a" * 33, 0, (1,), b"1")),
        packed(entry(b"\xc3\xa9", 0, (1,), b"1")),
        packed(entry(b"a", 0, (1,), b"1"), entry(b"a", 0, (1,), b"2")),
    ],
    ids=["too many", "unknown type", "dimensions", "long name", "odd name", "twice"],
)
def test_what_pack_never_writes_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"too many|no packed|ascii"):
        unpack(content)


def test_an_array_is_taken_by_its_type_and_shape() -> None:
    np.testing.assert_array_equal(take(SAMPLE, "boxes", np.float32, (None, 4)), SAMPLE["boxes"])
    assert take(SAMPLE, "one", np.float64, ()) == 2.5
    assert take(SAMPLE, "none", np.uint8, (0, None)).shape == (0, 7)


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        ("circles", np.float32, (None, 4)),
        ("boxes", np.float64, (None, 4)),
        ("boxes", np.float32, (None,)),
        ("boxes", np.float32, (None, None, None)),
        ("boxes", np.float32, (None, 5)),
        ("boxes", np.float32, (2, 4)),
    ],
    ids=["name", "type", "too flat", "too deep", "width", "length"],
)
def test_an_array_of_another_kind_is_refused(
    name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> None:
    with pytest.raises(ValueError, match=name):
        take(SAMPLE, name, dtype, shape)


@given(st.text(max_size=40))
def test_text_comes_back(text: str) -> None:
    read: NDArray[np.uint8] = unpack(pack({"text": as_text(text)}))["text"]
    assert to_text(read) == text


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        to_text(np.array([255, 254], np.uint8))
