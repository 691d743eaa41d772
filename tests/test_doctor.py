"""What the doctor says of each state of a machine, and its exit status."""

import re
import subprocess
import sys
import types

import mpi_job
import pytest

from tinycnn import backend, doctor


@pytest.fixture
def healthy_cpu(monkeypatch):
    """So that a test of what is said about GPUs does not train on the CPU as well, or start MPI."""
    monkeypatch.setattr(doctor, "check_cpu", lambda: (True, "fine"))
    monkeypatch.setattr(doctor, "check_mpi", lambda wanted: (True, "fine"))


def run(capsys, *arguments):
    status = doctor.main(arguments)
    return status, capsys.readouterr().out


def without_cupy(monkeypatch):
    monkeypatch.setattr(doctor, "cupy_version", lambda: "")


def test_a_machine_without_a_gpu_is_healthy(monkeypatch, capsys):
    without_cupy(monkeypatch)
    status, text = run(capsys)
    assert status == 0
    assert "CPU            a training step runs, its loss is 2." in text
    assert 'CuPy is not installed; where there is an NVIDIA card: pip install "tinycnn[cuda13]" (driver 580' in text
    assert len(text.splitlines()) <= 20 and max(map(len, text.splitlines())) < 200  # one screen


def test_a_gpu_that_was_asked_for_must_be_there(monkeypatch, capsys, healthy_cpu):
    without_cupy(monkeypatch)
    status, text = run(capsys, "--device", "gpu")
    assert status == 1 and "CuPy is not installed" in text


def test_two_cupy_packages(monkeypatch, capsys, healthy_cpu):
    packages = [types.SimpleNamespace(metadata={"Name": n}, version="14.2.0") for n in ("cupy-cuda12x", "cupy-cuda13x")]
    monkeypatch.setattr(doctor.importlib.metadata, "distributions", lambda: packages)
    status, text = run(capsys)
    assert status == 1
    assert (
        "several CuPy packages overwrite each other (cupy-cuda12x 14.2.0, cupy-cuda13x 14.2.0); uninstall them" in text
    )


def broken_cupy(error, available=True):
    """A CuPy whose first kernel fails."""

    def fail(*args):
        raise error

    runtime = types.SimpleNamespace(getDeviceCount=fail)
    cuda = types.SimpleNamespace(runtime=runtime)
    return types.SimpleNamespace(is_available=lambda: available, arange=fail, cuda=cuda)


@pytest.mark.parametrize(
    ("error", "available", "says"),
    [
        (RuntimeError("cudaErrorNoDevice: no CUDA-capable device"), False, ["finds no CUDA device", "nvidia-smi"]),
        (RuntimeError("cudaErrorInsufficientDriver: CUDA driver version"), False, ["driver", "tinycnn[cuda12]"]),
        (RuntimeError("Failed to find CUDA headers."), True, ["without the CUDA headers", "tinycnn[cuda13]"]),
        (ImportError("libcublas.so.13: cannot open shared object"), True, ["without cuBLAS", "tinycnn[cuda13]"]),
        (RuntimeError("CuPy failed to load libnvrtc.so.13"), True, ["without the CUDA compiler", "tinycnn[cuda13]"]),
        (RuntimeError('cannot open source file "vector_types.h"'), True, ["without the CUDA headers"]),
        (RuntimeError('incomplete type "__nv_fp8_e8m0" is not allowed'), True, ["unset CUDA_PATH"]),
        (RuntimeError("something new"), True, ["RuntimeError: something new"]),
    ],
)
def test_what_users_meet(error, available, says, monkeypatch, capsys, healthy_cpu):
    monkeypatch.setattr(doctor, "cupy_version", lambda: "cupy-cuda13x 14.2.0")
    monkeypatch.setattr(backend.devices, "cupy", lambda: broken_cupy(error, available))
    status, text = run(capsys)
    assert status == 1
    for words in says:
        assert words in text


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_a_working_gpu(capsys):
    status, text = run(capsys, "--device", "gpu")
    assert (
        status == 0
        and "GPU            a training step runs, eager and as fused kernels, and agrees with the CPU" in text
    )


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_a_gpu_that_computes_wrongly(monkeypatch, capsys, healthy_cpu):
    second_loss = doctor._second_loss
    monkeypatch.setattr(
        doctor, "_second_loss", lambda device, strategy: second_loss("cpu", "plain") + (strategy == "graph")
    )
    status, text = run(capsys)
    assert status == 1 and "but 2." in text and "please report it" in text


def test_a_step_that_fails(monkeypatch, capsys):
    without_cupy(monkeypatch)

    def fail(device, strategy):
        raise MemoryError("no more")

    monkeypatch.setattr(doctor, "_second_loss", fail)
    status, text = run(capsys)
    assert status == 1 and "CPU            a training step fails: MemoryError: no more" in text


def test_the_card(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.card() == ""
    monkeypatch.setattr(doctor.shutil, "which", lambda name: name)

    def answer(returncode, stdout, stderr=""):
        done = subprocess.CompletedProcess([], returncode, stdout, stderr)
        monkeypatch.setattr(doctor.subprocess, "run", lambda *args, **options: done)
        return doctor.card()

    assert answer(0, "NVIDIA H200, 143771 MiB, 580.65.06\n") == "NVIDIA H200, 143771 MiB, 580.65.06"
    assert answer(9, "", "NVIDIA-SMI has failed") == "nvidia-smi fails: NVIDIA-SMI has failed"
    assert answer(9, "") == "nvidia-smi fails: it says nothing"


def test_missing_extras_are_named(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name in ("tqdm", "pooch") else name)
    lines = dict(doctor.report())
    assert lines["[plot]"] == "curves and figures: installed"
    assert lines["[data]"] == 'downloads with progress: without pooch, tqdm: pip install "tinycnn[data]"'


def says_of_mpi(monkeypatch, returncode=0, out="", errors="", installed=True):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name if installed else None)
    monkeypatch.setattr(doctor, "launched", lambda: None)
    done = subprocess.CompletedProcess([], returncode, out, errors)
    monkeypatch.setattr(doctor.subprocess, "run", lambda *args, **options: done)
    return doctor.check_mpi()


def test_mpi_is_tried_in_a_process_of_its_own(monkeypatch):
    assert says_of_mpi(monkeypatch, installed=False)[0] is True
    works, text = says_of_mpi(monkeypatch, out="MPICH 5.0.2\n")
    assert works and text.startswith("MPICH 5.0.2 starts; `mpiexec -n 4 tinycnn doctor`")
    works, text = says_of_mpi(monkeypatch, 1, errors="Traceback\nRuntimeError: ranks: mpi4py finds no MPI\n")
    assert not works and text == "MPI does not start: RuntimeError: ranks: mpi4py finds no MPI"
    assert says_of_mpi(monkeypatch, -6) == (False, "MPI does not start: it says nothing")


@mpi_job.needs_mpi()
def test_ranks_find_each_other():
    status, out, errors, _ = mpi_job.run(3, "-m", "tinycnn.doctor")
    assert status in (0, 1) and out.count("\nMPI  ") == 1, errors
    assert re.search(r"\nMPI +3 ranks on \S+, .*: a training step of theirs has loss 2\.\d+\n", out), out


def test_as_a_program():
    done = subprocess.run([sys.executable, "-m", "tinycnn.doctor"], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1) and done.stderr == ""
    assert done.stdout.startswith("tinycnn    ") and "\nGPU        " in done.stdout


@pytest.mark.gpu
@mpi_job.needs_mpi()
def test_the_gpus_of_ranks_find_each_other(a_gpu):
    program = "from tinycnn import doctor\nfrom tinycnn.execution import job\nwith job(): print(doctor.check_mpi(True))"
    status, out, errors, _ = mpi_job.run(2, "-c", program)
    assert status == 0, errors
    assert re.match(r"\(True, '2 ranks on .*, GPUs .*: a training step of theirs has loss 2\.\d+'\)\n", out), out
