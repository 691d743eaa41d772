"""IDX files: the format in which MNIST and Fashion-MNIST are published, plain or compressed with gzip.

An IDX file is a header followed by the numbers, row by row:

    byte 0, 1   zero
    byte 2      type of the numbers; 8 means uint8, the only type these datasets use
    byte 3      D, the number of dimensions: 1 for labels, 3 for images
    D x 4 bytes the size of each dimension, an unsigned integer with its most significant byte first

Files come from networks and from other people, so nothing in a header is believed before the file has shown
that it holds that much: a damaged file costs an error message, never memory.
"""

import hashlib
import math
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

UINT8 = 8
MAX_DIMENSIONS = 4
MAX_BYTES = 256 * 2**20  # five times the largest file of these datasets
CHUNK = 2**20
GZIP_MAGIC = b"\x1f\x8b"


class IdxError(ValueError):
    """A file that is not what it should be; `fact` says what is wrong with it, without the path."""

    def __init__(self, path: Path, fact: str) -> None:
        super().__init__(f"read_idx: {path}: {fact}. Delete the file and download it again.")
        self.fact = fact


def read_idx(path: str | PathLike[str]) -> npt.NDArray[np.uint8]:
    """The array in an IDX file of uint8 numbers, plain or gzip (told apart by content, not by name).

    Labels come out as (N,), images as (N, H, W).  Raises IdxError (a ValueError) with
    the path, what was found and what was expected if the file is anything but one complete IDX file of at most
    256 MiB; OSError if it cannot be opened.
    """
    path = Path(path)
    with open(path, "rb") as file:
        start = file.read(256)
        file.seek(0)
        try:
            return _read(Unpacked(file) if start.startswith(GZIP_MAGIC) else file, path)
        except EOFError as error:
            raise IdxError(path, "the gzip data ends too early: the file is truncated") from error
        except zlib.error as error:
            raise IdxError(path, f"the gzip data is damaged ({error})") from error


class Unpacked:
    """The content of a gzip file, read piece by piece.

    zlib alone: Python's gzip module reads names and comments in headers byte by byte, which one of 50 MB makes slow.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.member = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
        self.waiting = b""  # bytes of the file that are still to be unpacked

    def read(self, size: int) -> bytes:
        """The next `size` bytes, less at the end.  EOFError where the file is truncated, zlib.error where damaged."""
        found = b""
        while len(found) < size:
            if self.member.eof:
                self.waiting = (self.member.unused_data or self.file.read(CHUNK)).lstrip(b"\0")  # padding of tapes
                if not self.waiting:
                    break
                self.member = zlib.decompressobj(wbits=31)
            self.waiting = self.waiting or self.file.read(CHUNK)
            if not self.waiting:
                raise EOFError
            found += self.member.decompress(self.waiting, size - len(found))
            self.waiting = self.member.unconsumed_tail
        return found


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of uint8 numbers of this shape; header + array.tobytes() is the file."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, UINT8, len(shape), *shape)


def idx_sha256(*arrays: npt.NDArray[np.uint8]) -> str:
    """SHA-256 (64 hexadecimal digits) of the decompressed IDX files that hold these arrays, one after another."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(idx_header(array.shape))
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read(file: BinaryIO | Unpacked, path: Path) -> npt.NDArray[np.uint8]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise IdxError(path, f"not an IDX file but {_looks_like(magic + file.read(256))}")
    if magic[2] != UINT8:
        raise IdxError(path, f"numbers have type 0x{magic[2]:02x}, expected 0x08 (uint8)")
    dimensions = magic[3]
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise IdxError(path, f"{dimensions} dimensions, expected 1 (labels) to {MAX_DIMENSIONS}")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise IdxError(path, f"the header ends after {4 + len(sizes)} bytes, expected {4 + 4 * dimensions}")
    shape = struct.unpack(f">{dimensions}I", sizes)
    expected, most = math.prod(shape), math.prod(size or 1 for size in shape)  # no array has sizes beyond an address
    if most > MAX_BYTES:
        raise IdxError(path, f"the header promises {shape}, {expected} bytes; the most read here is {MAX_BYTES}")

    numbers = bytearray()
    while len(numbers) < expected and (chunk := file.read(min(CHUNK, expected - len(numbers)))):
        numbers += chunk
    if len(numbers) < expected:
        raise IdxError(path, f"truncated: the header promises {shape}, {expected} bytes, but {len(numbers)} follow")
    if file.read(1):  # this read also makes gzip compare its checksum
        raise IdxError(path, f"more bytes follow after the {expected} that the header promises, {shape}")
    return np.frombuffer(numbers, dtype=np.uint8).reshape(shape)


def _looks_like(start: bytes) -> str:
    """What a file that starts like this probably is, in words."""
    text = start.lstrip().lower()
    if not start:
        return "an empty file"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML or XML page (a web server's error or a network's sign-in page, saved under this name)"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, the note that stands for the file in a repository (run: git lfs pull)"
    return f"something that starts with the bytes {start[:4].hex(' ')}, expected 00 00 08 and the dimensions"
