"""Whole programs as jobs of real MPI ranks: who prints, what an error on one does to all, Ctrl-C, and going on."""

import os
import signal
import subprocess
import sys
import time

import mpi_job
import numpy as np
import pytest
import rank_program

from tinycnn import cli

pytestmark = mpi_job.needs_mpi()

DETECTION = 2  # seconds that ranks wait for one that has stopped, in these tests
AT_MOST = 10 + DETECTION  # seconds in which a job must have ended


def left_running(folder, seconds=5):
    """The ranks that live, after a moment in which the system may bury the dead."""
    deadline = time.monotonic() + seconds
    while alive := [name for name in os.listdir(folder) if name.isdigit() and os.path.exists(f"/proc/{name}/exe")]:
        if time.monotonic() > deadline:
            return alive
        time.sleep(0.05)
    return []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return rank_program.trained("threads", tmp_path_factory.mktemp("undisturbed"), workers=1)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("1,raise,9", ["rank 1 on ", " cannot go on:", 'raise ArithmeticError("it broke here")']),
        ("0,raise,9", ["Traceback", 'raise ArithmeticError("it broke here")']),
        ("1,kill,9", []),
        ("0,kill,9", []),
        ("1,stop,9", ["ranks: no answer from rank 1 on ", "for 2 seconds: stopped, or busy"]),
        ("0,stop,9", ["ranks: no answer from rank 0 on ", "for 2 seconds: stopped, or busy"]),
    ],
)
def test_what_befalls_one_rank_ends_them_all_and_the_run_goes_on_from_its_checkpoint(
    fault, says, tmp_path, undisturbed
):
    program = mpi_job.PROGRAM, "trained", "ranks", tmp_path
    patience = {"TINYCNN_PATIENCE": str(DETECTION)} if "stop" in fault else {}  # the others need none
    status, out, errors, _ = mpi_job.run(2, *program, fault, **patience)
    took = time.time() - float(errors.split("now ")[1].split()[0])
    assert status != 0 and took < AT_MOST and not left_running(tmp_path), (status, took, errors)
    for words in says:
        assert words in errors
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert rank_program.trained("threads", tmp_path, workers=1) == undisturbed


EVERY = 2  # batches between two checkpoints, in rank_program.trained


@pytest.mark.slow
def test_twenty_jobs_whose_rank_is_killed_at_a_random_moment(tmp_path, undisturbed, capsys):
    """None hangs, none loses more than its last checkpoint, and each goes on to the bits of the undisturbed run."""
    random, lost, ends = np.random.default_rng(int(time.time())), [], []
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        job = mpi_job.start(3, mpi_job.PROGRAM, "trained", "ranks", folder, "", "0.05")
        while len(ranks := [name for name in os.listdir(folder) if name.isdigit()]) < 3:
            assert job.poll() is None, mpi_job.ended(job)
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1.2))  # of its 15 batches
        os.kill(int(random.choice(ranks)), signal.SIGKILL)
        status, _, errors, seconds = mpi_job.ended(job)
        assert status != 0 and not left_running(folder), (number, status, errors)
        ends.append(seconds)
        file = folder / "checkpoint.safetensors"
        done = max(int((folder / rank).read_text() or 0) for rank in ranks)
        kept = rank_program.load(file).about["run"] if file.exists() else {"epoch": 0, "batch": 0}
        lost.append(done - 5 * kept["epoch"] - kept["batch"])
        status, out, errors, _ = mpi_job.run(int(random.integers(1, 4)), mpi_job.PROGRAM, "trained", "ranks", folder)
        assert (status, out) == (0, rank_program.json.dumps(undisturbed) + "\n"), (number, errors)
    assert max(lost) <= EVERY, lost
    with capsys.disabled():
        print(f"\nended within {max(ends):.2f} s of the kill; batches lost: {lost}")


def test_an_error_that_all_ranks_meet_is_told_once(tmp_path):
    status, _, errors, _ = mpi_job.run(2, mpi_job.PROGRAM, "trained", "ranks", tmp_path, "-1,raise,4")
    assert status != 0 and errors.count("ArithmeticError: it broke here") == 1 and "cannot go on" not in errors


def test_ctrl_c_ends_all_ranks_after_the_batch_and_another_number_of_them_goes_on(tmp_path, undisturbed):
    job = mpi_job.start(2, mpi_job.PROGRAM, "trained", "ranks", tmp_path, "", "0.1")
    while not (tmp_path / "checkpoint.safetensors").exists() and job.poll() is None:
        time.sleep(0.05)
    os.kill(job.pid, signal.SIGINT)
    status, out, errors, _ = mpi_job.ended(job)
    if "Open MPI" in mpi_job.version():  # sends SIGTERM, and a quarter of a second later SIGKILL
        assert status != 0
    else:
        assert status == 0 and out.splitlines()[-1].startswith("[true, "), (out, errors)
    assert (tmp_path / "checkpoint.safetensors").exists() and not left_running(tmp_path)
    status, out, errors, _ = mpi_job.run(3, mpi_job.PROGRAM, "trained", "ranks", tmp_path)
    assert status == 0, errors
    assert out == rank_program.json.dumps(undisturbed) + "\n"


OPTIONS = ("--epochs", "1", "--batch-size", "64", "--device", "cpu")


def test_rank_0_alone_prints_and_writes_what_one_process_would(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program = mpi_job.PROGRAM, "command", tmp_path / "data", "train", *OPTIONS
    status, out, errors, _ = mpi_job.run(2, *program, "--execution", "ranks", "--out", "ranks", "--save", "ranks/net")
    assert status == 0, errors
    assert out.count("training on cpu, ranks: ") == out.count("test acc") // 2 == out.count("wrote ranks/net") == 1
    with pytest.raises(SystemExit) as end:
        arguments = "train", *OPTIONS, "--execution", "threads", "--workers", "1", "--out", "one", "--save", "one/net"
        rank_program.command(tmp_path / "data", *arguments)
    assert end.value.code == 0
    assert (tmp_path / "ranks" / "metrics.jsonl").read_bytes() == (tmp_path / "one" / "metrics.jsonl").read_bytes()
    weights = [rank_program.load(tmp_path / name / "net").state_dict for name in ("ranks", "one")]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[1])


def test_several_without_being_told_so_is_an_error_of_one_line():
    status, out, errors, _ = mpi_job.run(2, "-m", "tinycnn", "train", "--dataset", "silhouettes")
    assert status == 1 and out == ""
    assert errors.count("tinycnn train: error: ") == 1
    assert "has started this program as one of 2, and without --execution ranks each would train the same net" in errors


def test_one_rank_that_does_not_even_start_ends_them_all(tmp_path):
    job = mpi_job.start(2, mpi_job.PROGRAM, "without_one", tmp_path)
    while len(list(tmp_path.iterdir())) < 2 and job.poll() is None:
        time.sleep(0.05)
    alive = left_running(tmp_path, seconds=30)
    try:
        status, _, errors, _ = mpi_job.ended(job, timeout=10)
    except subprocess.TimeoutExpired:  # Open MPI's launcher goes on now and then when all that it launched have ended
        assert "Open MPI" in mpi_job.version()
    else:
        assert status != 0 and "AssertionError" not in errors
    assert not alive


def test_one_rank_that_loses_its_data_ends_them_all(tmp_path):
    """The others wait for it, in MPI's own start or later."""
    status, out, errors, seconds = mpi_job.run(2, mpi_job.PROGRAM, "without_data", tmp_path / "data")
    assert status == 1 and seconds < 30, errors
    assert "rank 1 on " in errors and "cannot go on:" in errors and "DatasetError: the file is gone" in errors


def test_a_program_that_was_started_once_has_no_use_for_mpi(tmp_path):
    """It trains on every core where mpi4py cannot even be imported."""
    program = f"""
import sys
sys.modules["mpi4py"] = None
sys.argv = ["x"]
import rank_program
try:
    rank_program.command({str(tmp_path / "data")!r}, "train", "--epochs", "1", "--workers", "2", "--out", "one")
except SystemExit as end:
    assert end.code == 0, end.code
assert not [name for name in sys.modules if name.startswith("mpi4py.")]
"""
    path = os.pathsep.join([str(mpi_job.ROOT), str(mpi_job.ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path}
    arguments = [sys.executable, "-c", program]
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "training on cpu, processes: " in done.stdout or not sys.platform.startswith("linux")


def test_alone_it_is_an_error_of_one_line(monkeypatch, capsys):
    for variable in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMIX_RANK"):
        monkeypatch.delenv(variable, raising=False)
    assert cli.main(["train", "--execution", "ranks"]) == 1
    assert "tinycnn train: error: ranks: this program was started alone" in capsys.readouterr().err
