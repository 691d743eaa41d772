import gzip
import hashlib
import re
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest

from tinycnn.data import IdxError, read_idx
from tinycnn.data.idx import idx_header, idx_sha256

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(range(24))  # written by hand


def read(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    return read_idx(path)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_content_decides_not_the_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(CONTENT))
    for path in (tmp_path / name, str(tmp_path / name)):
        array = read_idx(path)
        assert array.dtype == np.uint8 and array.flags.c_contiguous and array.flags.writeable
        assert array.tolist() == IMAGES.tolist()


def test_labels_and_empty_arrays(tmp_path):
    assert read(tmp_path, b"\0\0\x08\x01\0\0\0\x03\x05\x00\x09").tolist() == [5, 0, 9]
    assert read(tmp_path, idx_header((0, 28, 28))).shape == (0, 28, 28)


def test_header_and_sha256_are_those_of_the_file(tmp_path):
    assert idx_header(IMAGES.shape) + IMAGES.tobytes() == CONTENT
    assert idx_sha256(IMAGES) == hashlib.sha256(CONTENT).hexdigest()
    assert idx_sha256(IMAGES, IMAGES) == hashlib.sha256(CONTENT + CONTENT).hexdigest()
    turned = np.asfortranarray(IMAGES)
    assert idx_sha256(turned) == idx_sha256(IMAGES)


ZIPPED = gzip.compress(CONTENT)
DAMAGE = {
    "empty": (b"", "an empty file"),
    "page": (b"\n<!DOCTYPE html><html>Sign in", "an HTML or XML page"),
    "zipped page": (gzip.compress(b"<html>403"), "an HTML or XML page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer.*git lfs pull"),
    "other": (b"PK\x03\x04 a zip file", "starts with the bytes 50 4b 03 04, expected 00 00 08"),
    "short magic": (b"\0\0\x08", "starts with the bytes 00 00 08, expected"),
    "float": (b"\0\0\x0d\x01\0\0\0\1" + bytes(4), r"type 0x0d, expected 0x08 \(uint8\)"),
    "no dimension": (b"\0\0\x08\x00", r"0 dimensions, expected 1 \(labels\) to 4"),
    "255 dimensions": (b"\0\0\x08\xff" + bytes(1020), "255 dimensions, expected 1"),
    "short header": (CONTENT[:9], "the header ends after 9 bytes, expected 16"),
    "huge": (b"\0\0\x08\x01\xff\xff\xff\xff", r"promises \(4294967295,\), 4294967295 bytes; the most .* 268435456"),
    "overflow": (b"\0\0\x08\x04" + b"\xff" * 16, "340282366604025813516997721482669850625 bytes; the most"),
    "truncated": (CONTENT[:-1], r"truncated: the header promises \(2, 3, 4\), 24 bytes, but 23 follow"),
    "trailing": (CONTENT + b"x", "more bytes follow after the 24 that the header promises"),
    "truncated gzip": (ZIPPED[:-9], "the gzip data ends too early: the file is truncated"),
    "gzip without end": (ZIPPED[:-4], "the gzip data ends too early: the file is truncated"),
    "checksum": (ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], r"the gzip data is damaged \(.*incorrect data check"),
    "not deflate": (ZIPPED[:10] + b"\xff" * 30, r"the gzip data is damaged \(Error -3"),
    "gzip of half": (gzip.compress(CONTENT[:20]), "truncated: .* 24 bytes, but 4 follow"),
    "gzip of more": (gzip.compress(CONTENT + b"x"), "more bytes follow"),
}


@pytest.mark.parametrize("content, fact", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_file(tmp_path, content, fact):
    with pytest.raises(ValueError, match=fact) as error:
        read(tmp_path, content)
    assert isinstance(error.value, IdxError)
    path = re.escape(str(tmp_path / "file"))
    assert re.match(rf"read_idx: {path}: .*\. Delete the file and download it again\.$", str(error.value))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nowhere")


@pytest.mark.parametrize("promise", [3 * 28 * 28, 200 * 2**20, 2**32 - 1])
def test_memory_is_only_taken_for_what_the_file_holds(tmp_path, promise):
    """A gzip bomb of 1 GiB in 1 MB, and headers that promise more than follows."""
    header = gzip.compress(idx_header((promise,)))
    bomb = gzip.compress(bytes(2**20)) * 1024
    contents = [header + gzip.compress(bytes(100))]
    if promise != 200 * 2**20:  # there the bomb would hold what its header promises
        contents.append(header + bomb)
    for content in contents:
        tracemalloc.start()
        try:
            with pytest.raises(IdxError):
                read(tmp_path, content)
            assert tracemalloc.get_traced_memory()[1] < 2**23
        finally:
            tracemalloc.stop()


def damaged(content, other, rng):
    """One damaged file of many kinds: bits flipped, cut off, put in, taken out, another's header, a header made up."""
    broken, at = bytearray(content), int(rng.integers(len(content)))
    match rng.integers(6):
        case 0:
            broken[at] ^= 1 << int(rng.integers(8))
        case 1:
            del broken[at:]
        case 2:
            broken[at:at] = rng.bytes(int(rng.integers(1, 9)))
        case 3:
            del broken[at : at + int(rng.integers(1, 9))]
        case 4:
            broken[:16] = other[:16]
        case 5:
            broken[int(rng.integers(4)) : 16] = rng.bytes(int(rng.integers(1, 17)))
    return bytes(broken)


@pytest.mark.parametrize("files", [pytest.param(200), pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_damaged_files_are_refused_or_whole(tmp_path, rng, pack, files):
    """A damaged file is refused, or is still a complete IDX file and loads as what it says, and takes no memory."""
    other = pack(idx_header((4, 3, 2)) + bytes(24))
    refused = 0
    tracemalloc.start()
    try:
        for _ in range(files):
            content = damaged(pack(CONTENT), other, rng)
            try:
                array = read(tmp_path, content)
            except IdxError:
                refused += 1
            else:
                if pack is bytes:
                    assert idx_header(array.shape) + array.tobytes() == content
                else:
                    assert np.array_equal(array, IMAGES)  # what changed was not data: gzip has a checksum
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert files / 2 < refused < files


def test_sizes_beyond_any_array_are_refused_although_nothing_is_in_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1))
    with pytest.raises(IdxError, match=r"file: the header promises \(0, 4294967295, 4294967295\), 0 bytes"):
        read_idx(path)


def test_a_gzip_header_of_any_length_is_passed_quickly(tmp_path):
    """A name of 50 MB in it took the standard library's reader, which goes byte by byte, 14 seconds: here 3,000 calls
    of a reader that counts them would be too many."""
    path, packed = tmp_path / "file", zlib.compressobj(wbits=-15)
    body = packed.compress(CONTENT) + packed.flush()
    header = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 5_000_000 + b"\0"
    path.write_bytes(header + body + struct.pack("<II", zlib.crc32(CONTENT), len(CONTENT)))
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event) if event == "c_call" else None)
    try:
        array = read_idx(path)
    finally:
        sys.setprofile(None)
    assert len(calls) < 3_000
    assert array.tobytes() == CONTENT[-array.size :]


def test_several_members_and_padding_are_one_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(CONTENT[:7]) + gzip.compress(CONTENT[7:]) + bytes(100))
    assert read_idx(path).tobytes() == CONTENT[-read_idx(path).size :]
