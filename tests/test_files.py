import os
import stat
import sys

import pytest

from tinycnn import files
from tinycnn.files import check_writable, picture_folder, printable, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="links, devices and permissions as POSIX has them")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_and_an_old_one(tmp_path):
    path = tmp_path / "x"
    write_atomically(path, b"one")
    write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two" and names(tmp_path) == ["x"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space left") as caught:
            write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["x"]


def test_the_new_file_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    path, synced, fsync = tmp_path / "x", [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(path.exists()), fsync(number)))
    write_atomically(path, b"new")
    assert synced[0] is False and (os.name != "posix" or synced[1:] == [True])


@posix
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "folder").mkdir()
    link, file = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(file)
    for content in (b"one", b"two"):  # at first it leads nowhere
        write_atomically(link, content)
        assert link.is_symlink() and file.read_bytes() == content
    assert names(tmp_path / "folder") == ["file"]


@posix
def test_a_device_stays_a_device(tmp_path):
    write_atomically("/dev/null", b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_atomically(link, b"x")
    assert link.is_symlink()


@posix
def test_a_pipe_gets_the_content(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(fifo, b"through")
    assert os.read(reader, 100) == b"through" and stat.S_ISFIFO(fifo.stat().st_mode)
    os.close(reader)


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_permissions_stay(tmp_path, mode):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "any").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_a_read_only_file_is_left_alone(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o444)
    for write in (check_writable, lambda path: write_atomically(path, b"new")):
        with pytest.raises(PermissionError, match="read-only"):
            write(path)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["x"]


@posix
def test_the_temporary_name_cannot_be_prepared_by_others(tmp_path, monkeypatch):
    victim, seen = tmp_path / "victim", []
    victim.write_bytes(b"untouched")
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (seen.append(source.name), replace(source, target)))
    for _ in range(2):
        write_atomically(tmp_path / "x", b"new")
    assert seen[0] != seen[1]
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: "guessed")
    (tmp_path / ".guessed.new").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "x", b"evil")
    assert victim.read_bytes() == b"untouched"


def test_the_longest_name(tmp_path):
    path = tmp_path / ("n" * 252 + ".st")
    write_atomically(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["", ".", "folder"])
def test_error_for_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for write in (check_writable, lambda path: write_atomically(path, b"new")):
        with pytest.raises(IsADirectoryError, match="it is a folder, expected a file: '(folder|.)'"):
            write(name)


def test_error_for_a_folder_that_is_not_there(tmp_path):
    for write in (check_writable, lambda path: write_atomically(path, b"new")):
        with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere: '.*nowhere.x.onnx'"):
            write(tmp_path / "nowhere" / "x.onnx")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is full")
def test_error_for_a_full_device_names_it():
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        write_atomically("/dev/full", b"x")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_trying_leaves_nothing(tmp_path):
    check_writable(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"old")
    check_writable(tmp_path / "y")
    assert names(tmp_path) == ["y"] and (tmp_path / "y").read_bytes() == b"old"
    if sys.platform.startswith("linux"):
        check_writable("/dev/null")


def test_text_of_others_does_nothing_to_a_terminal():
    assert printable("LeNet\x1b]0;owned\x07\x1b[2J\r\u202e ä\nzwei") == (
        "LeNet\\x1b]0;owned\\x07\\x1b[2J\\r\\u202e ä\nzwei"
    )


def test_pictures_go_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    for named, folder in (("", "runs/lessons"), ("/d", "/d"), ("~/pictures", "/home/ann/pictures")):
        monkeypatch.setenv("TINYCNN_OUT", named)
        assert picture_folder("lessons").as_posix() == folder
