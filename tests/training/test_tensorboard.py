import importlib.util

import pytest

from tinycnn.training import Epoch, Run, TensorBoard, train

pytest.importorskip("tensorboardX")


def scalars(folder):
    """Every scalar in a folder's event files, in the order of writing: (name, step, value).

    An event file is a list of records: length (8 bytes), its checksum (4), a protobuf of that length, its checksum (4).
    """
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
    return found


def test_every_measurement_is_in_the_event_file(task, tmp_path):
    task = task()
    with task.step() as step:
        run = train(step, task.batches, task.test_batches, 2, [TensorBoard(tmp_path)])
    expected = {}
    for record in run.history:
        at = round(record.x * 7)
        if isinstance(record, Epoch):
            expected |= {("loss/test", at): record.test_loss, ("accuracy/test", at): record.test_acc}
        else:
            expected |= {("loss/train", at): record.train_loss, ("accuracy/train", at): record.train_acc}
            expected["learning_rate", at] = record.lr
    found = {(name, at): value for name, at, value in scalars(tmp_path)}
    speeds = [value for (name, _), value in found.items() if name == "examples_per_sec"]
    assert len(speeds) == 14 and min(speeds) > 0
    rest = {key: value for key, value in found.items() if key[0] != "examples_per_sec"}
    assert set(rest) == set(expected)
    assert rest == pytest.approx(expected, rel=1e-6)  # event files keep float32
    assert [at for name, at, _ in scalars(tmp_path) if name == "loss/train"] == list(range(1, 15))


def test_a_run_that_goes_on_takes_back_what_came_after_its_checkpoint(task, tmp_path):
    """TensorBoard leaves out what it is told was purged: all from the first step that is taken again."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    board, run = TensorBoard(tmp_path), Run(epoch=1, batch=3, num_batches=7)
    board.on_start(run)
    board.on_end(run)
    (path,) = tmp_path.iterdir()
    content, starts = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        starts += [event.step] if event.session_log.status == SessionLog.START else []
    assert starts == [1 * 7 + 3 + 1]


def test_without_tensorboardX(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r'tensorboardX is not installed; pip install "tinycnn\[tensorboard\]"'):
        TensorBoard(tmp_path)
