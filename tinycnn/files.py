"""files: writing a file so that at every moment it is the old one or the whole new one, and text from files of others.

Read in this order: write_atomically, check_writable, picture_folder, printable.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that at every moment, also after a crash, `path` is either the old file or the whole new one.

    The content goes to a temporary file beside it, to the disk, and then under the name in one move.  A link stays
    one, and what it leads to is written; a file keeps its permissions and its owner, and one that is read-only stays
    as it is; a device or a pipe is written into.  OSError, with this path, where it cannot be done.
    """
    path = Path(path)
    with _blamed(path):
        if _is_device(path):
            with path.open("wb") as file:
                file.write(content)
            return
        target = _target(path)
        with _temporary(target) as temporary:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        if os.name == "posix":  # elsewhere folders cannot be opened
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def check_writable(path: str | Path) -> None:
    """OSError, with the path, if write_atomically could not write there now; leaves everything as it is."""
    path = Path(path)
    with _blamed(path):
        if not _is_device(path):
            with _temporary(_target(path)):
                pass
        elif not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def picture_folder(kind: str) -> Path:
    """Where pictures go that nobody asked a path for: the folder that TINYCNN_OUT names, or runs/`kind`."""
    named = os.environ.get("TINYCNN_OUT")
    return Path(named).expanduser() if named else Path("runs", kind)


def printable(text: str) -> str:
    """Text from a file of somebody else, for a terminal: its control characters as \\x1b and the like."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _is_device(path: Path) -> bool:
    """Whether the path leads to something that is neither a file nor a folder: a device, a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _target(path: Path) -> Path:
    """The file that is to be replaced, behind all links; OSError where it must not be."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder, expected a file")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {target.parent}")
    if target.exists() and not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
        raise PermissionError(errno.EACCES, "the file is read-only")
    return target


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A new file beside the target, like it in permissions and owner; gone at the end unless it was moved away.

    Nobody can have put something else under its name, which cannot be guessed.
    """
    temporary = target.with_name(f".{secrets.token_hex(8)}.new")
    try:
        temporary.open("xb").close()
        if target.exists():
            shutil.copymode(target, temporary)
            if hasattr(os, "chown"):
                with suppress(PermissionError):  # only root can give files away
                    os.chown(temporary, target.stat().st_uid, target.stat().st_gid)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Within this block errors name the path that was asked for, not a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
