"""The command `tinycnn`: every subcommand in this process, one in a process of its own, every failure in one line."""

import dataclasses
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tinycnn import checkpoint, doctor, manual_seed
from tinycnn.cli import command, main
from tinycnn.cli.photo import read_photo
from tinycnn.data import datasets
from tinycnn.data.dataset import FASHION_CLASSES
from tinycnn.data.idx import idx_header, idx_sha256
from tinycnn.data.sources import TEST_FILES, TRAIN_FILES
from tinycnn.models import LeNet
from tinycnn.nn import Module

pytest.importorskip("safetensors")
NAMES = sorted(module.__name__.rpartition(".")[2].replace("evaluate", "eval") for module in command.COMMANDS)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with a data set that passes for Fashion-MNIST: class k is a bright bar in row 2*k + 4."""
    rng, sha256, folder = np.random.default_rng(0), {}, tmp_path / "data"
    folder.mkdir()
    for files, count in ((TRAIN_FILES, 200), (TEST_FILES, 40)):
        labels = (rng.permutation(count) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 2 * labels + 4] += 150
        for file, array in zip(files, (images, labels), strict=True):
            (folder / file).write_bytes(idx_header(array.shape) + array.tobytes())
            sha256[file] = idx_sha256(array)
    monkeypatch.setattr(datasets, "FASHION", dataclasses.replace(datasets.FASHION, sha256=sha256, mirrors=()))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def lenet(tmp_path):
    """A checkpoint of an untrained net, the same one always."""
    manual_seed(0)
    path = tmp_path / "lenet.safetensors"
    checkpoint.save(path, LeNet(), about={"dataset": {"name": "Fashion-MNIST", "sha256": "0"}})
    return path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    """The one line that a command which fails leaves on stderr."""
    try:
        status = run(*arguments)
    except SystemExit as end:
        status = end.code
    assert status in (1, 2)
    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith(f"tinycnn {arguments[0]}: error: ") and "Traceback" not in "".join(more)
    return first


# Help


def test_help_teaches(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f"\n    {name} " in text for name in NAMES)
    assert "tinycnn predict lenet.safetensors shirt.jpg" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_examples(name, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run(name, "--help")
    text = capsys.readouterr().out
    examples = text.partition("\nexamples:\n")[2].splitlines()
    assert examples and all(f" tinycnn {name}" in line for line in examples)
    for line in examples:  # what the page shows must be understood
        words = line.strip().split("   ")[0].split()
        command.parser().parse_args(words[words.index("tinycnn") + 1 :])  # before it may stand mpiexec


def test_version(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run("--version")
    assert capsys.readouterr().out.startswith("tinycnn 0.")


# The commands, one after another


def test_from_training_to_a_page(data, capsys):
    options = ("--dataset", "fashion", "--data-dir", data)
    quick = ("--activation", "relu", "--lr", 0.1, "--batch-size", 20, "--execution", "plain", "--device", "cpu")
    assert run("train", *options, *quick, "--epochs", 2, "--save", "net.safetensors", "--out", "run") == 0
    result = json.loads((data.parent / "run" / "result.json").read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    assert f"test acc {result['test_acc']:.3f}" in said and result["epoch"] == 2

    assert run("eval", "net.safetensors", *options, "--device", "cpu") == 0
    loss, accuracy = capsys.readouterr().out.splitlines()[-1].split(", ")
    assert (loss, accuracy) == (f"test loss {result['test_loss']:.3f}", f"test acc {result['test_acc']:.3f}")

    assert run("train", "--resume", "net.safetensors", "--epochs", 3, "--data-dir", data) == 0
    assert "epoch 3/3" in capsys.readouterr().out

    assert run("summary", "net.safetensors") == 0
    said = capsys.readouterr().out
    assert (
        said.startswith("net.safetensors: LeNet by tinycnn") and "trained on Fashion-MNIST, epochs complete: 3" in said
    )
    assert "1 ReLU" in said and "61,706" in said

    assert run("explain", "net.safetensors", "--data-dir", data, "--images", 2) == 0
    assert "LeNet on Fashion-MNIST" in (data.parent / "net.html").read_text(encoding="utf-8")
    assert "images is 41, expected 1 to 40" in fails(
        capsys, "explain", "net.safetensors", "--data-dir", data, "--images", 41
    )


def test_train_and_the_example_give_the_same_net(data, monkeypatch):
    """Both are the same program, in two places: one to read, one to use."""
    options = ["--data-dir", data, "--dataset", "fashion", "--epochs", 1, "--batch-size", 20, "--execution", "plain"]
    options = [str(option) for option in [*options, "--device", "cpu", "--out", "run", "--seed", 3, "--save"]]
    assert run("train", *options, "a.safetensors") == 0
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "lenet_fashion.py"))
    example["main"]([*options, "b.safetensors"])
    a, b = (checkpoint.load(path).state_dict for path in ("a.safetensors", "b.safetensors"))
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_summary_of_the_chapters_net(capsys):
    assert run("summary") == 0
    assert "61,706" in capsys.readouterr().out


def test_a_lesson_needs_nothing(tmp_path, capsys):
    assert run("explain", "--out", tmp_path / "lesson.html") == 0
    assert re.fullmatch(r"wrote \S+lesson\.html \(\d\.\d MB\): open it in a browser\n", capsys.readouterr().out)
    assert "How convolution works" in (tmp_path / "lesson.html").read_text(encoding="utf-8")


def test_export(lenet, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    assert run("export", lenet, tmp_path / "net.onnx") == 0
    assert "input (N, 1, 28, 28), output (N, 10)" in capsys.readouterr().out
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(None, {"input": np.zeros((2, 1, 28, 28), np.float32)})[0].shape == (2, 10)


def test_data(data, capsys):
    assert run("data", "--data-dir", data) == 0
    assert f"{data}: 4 of 4 files\n" in capsys.readouterr().out
    for action in ("verify", "fetch"):
        assert run("data", action, "--data-dir", data) == 0
        assert "Fashion-MNIST test: 40 images of 28x28 pixels in 10 classes, verified" in capsys.readouterr().out
    (data / TRAIN_FILES[0]).write_bytes(b"damaged")
    assert f"there is no {TRAIN_FILES[0]}" in fails(capsys, "data", "verify", "--data-dir", data)


def test_doctor(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "cupy_version", lambda: "")
    assert run("doctor") == 0
    said = capsys.readouterr().out
    assert "NumPy" in said and "a training step runs" in said
    assert run("doctor", "--device", "gpu") == 1
    assert "CuPy is not installed" in capsys.readouterr().out


# Photos


@pytest.fixture
def draw(tmp_path):
    """draw(name, ground, cloth) makes a photo of a shirt, 200 wide and 300 high, and returns its path."""
    image, pen = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    shirt = [(60, 40), (140, 40), (190, 150), (165, 165), (140, 110), (140, 260), (60, 260), (60, 110), (35, 165)]

    def drawn(name, ground, cloth, mode="RGB"):
        photo = image.new(mode, (200, 300), ground)
        pen.Draw(photo).polygon([*shirt, (10, 150)], fill=cloth)
        photo.save(tmp_path / name)
        return tmp_path / name

    return drawn


def test_predict(lenet, draw, capsys):
    photos = [draw("shirt.jpg", (250, 250, 250), (40, 60, 110)), draw("shirt.png", (250, 250, 250), (40, 60, 110))]
    assert run("predict", lenet, *photos, "--device", "cpu") == 0
    jpeg, png = capsys.readouterr().out.splitlines()
    assert jpeg.startswith(f"{photos[0]}: ") and png.startswith(f"{photos[1]}: ")
    ours, exact = (dict(re.findall(r"([A-Z][\w/ -]+) (\d+\.\d)%", line.split(": ")[-1])) for line in (jpeg, png))
    assert len(ours) == 3 and set(ours) <= set(FASHION_CLASSES) and list(ours) == list(exact)
    assert all(abs(float(ours[name]) - float(exact[name])) < 0.5 for name in ours)  # a JPEG is not exact


class Bright(Module):
    """A net that knows one thing: class 3 if the middle is bright, class 5 if not, and 1 and 2 are next."""

    def __init__(self):
        self.config = {"in_channels": 1, "image_size": 28, "num_classes": 10}
        self.weight = LeNet()[0].bias

    def forward(self, x):
        logits = np.zeros((x.shape[0], 10), np.float32)
        bright = x.numpy()[:, 0, 14, 14] > 0.5
        logits[bright, 3] = logits[~bright, 5] = 5
        logits[:, 1], logits[:, 2] = 3, 2
        return type(x)(logits)


@pytest.mark.parametrize(("invert", "best"), [("auto", "Dress"), ("yes", "Dress"), ("no", "Sandal")])
def test_predict_names_the_likeliest_classes_first(invert, best, lenet, draw, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint.Checkpoint, "build", lambda self: Bright())
    assert run("predict", lenet, draw("shirt.png", (250, 250, 250), (20, 20, 20)), "--invert", invert) == 0
    shares = np.exp([5, 3, 2]) / (np.exp([5, 3, 2]).sum() + 7)
    named = [f"{name} {share:.1%}" for name, share in zip((best, "Trouser", "Pullover"), shares, strict=True)]
    assert capsys.readouterr().out.endswith(f"shirt.png: {', '.join(named)}\n")


@pytest.mark.parametrize(
    ("ground", "cloth", "mode"),
    [
        ((250, 250, 250), (0, 0, 0), "RGB"),  # dark on light, as photos are
        ((20, 20, 20), (255, 255, 255), "RGB"),  # light on dark, as the data are
        (240, 0, "L"),
        ((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"),  # nothing around a black shirt
        (65000, 0, "I;16"),
    ],
)
def test_a_photo_becomes_light_on_black_and_fills_its_frame(ground, cloth, mode, draw):
    image = read_photo(draw("shirt.png", ground, cloth, mode))
    assert image.shape == (28, 28) and image.dtype == np.uint8
    assert image.max() > 240 and np.median(image[:, [0, 27]]) == 0  # 221 rows by 181 columns: 28 by 23
    columns = np.flatnonzero((image > 100).any(0))
    assert (image[0] > 100).any() and (image[27] > 100).any()
    assert columns[-1] - columns[0] + 1 == pytest.approx(23, abs=1) and columns[0] + columns[-1] == pytest.approx(
        27, abs=1
    )
    assert image[14, 14] > 240


def test_a_margin_and_another_size(draw):
    image = read_photo(draw("shirt.png", "white", "black"), 40, margin=10)
    rows = np.flatnonzero((image > 100).any(1))
    assert image.shape == (40, 40) and (rows[0], rows[-1]) == (10, 29)


def test_an_image_of_the_right_size_is_taken_as_it_is(tmp_path, rng):
    image = pytest.importorskip("PIL.Image")
    pixels = rng.integers(0, 100, (28, 28), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "x.png")
    assert np.array_equal(read_photo(tmp_path / "x.png"), pixels)
    assert np.array_equal(read_photo(tmp_path / "x.png", invert="yes"), 255 - pixels)


def test_a_photo_is_turned_as_the_camera_was_held(tmp_path, draw):
    image = pytest.importorskip("PIL.Image")
    upright = draw("shirt.png", "white", "black")
    lying = image.open(upright).rotate(90, expand=True)
    exif = image.Exif()
    exif[0x0112] = 6  # "the camera was held a quarter turn to the left"
    lying.save(tmp_path / "lying.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "lying.png"), read_photo(upright))


# Failures


def test_failures_are_one_line(lenet, tmp_path, capsys, draw):
    text = tmp_path / "note.png"
    text.write_text("hello", encoding="utf-8")
    cut = tmp_path / "cut.png"
    cut.write_bytes(draw("whole.png", "white", "black").read_bytes()[:200])
    assert f"{tmp_path / 'none'}: No such file or directory" in fails(capsys, "eval", tmp_path / "none")
    assert "note.png: not a safetensors file" in fails(capsys, "summary", text)
    assert "note.png: not an image" in fails(capsys, "predict", lenet, text)
    assert "cut.png: damaged, or too large" in fails(capsys, "predict", lenet, cut)
    assert "blank.png: the image is empty" in fails(capsys, "predict", lenet, draw("blank.png", "white", "white"))
    assert "--lr" in fails(capsys, "train", "--lr", "fast")
    assert "--epochs: got 0, expected 1 or more" in fails(capsys, "train", "--epochs", 0)
    assert "the following arguments are required: CHECKPOINT" in fails(capsys, "eval")
    assert "--help explains" in fails(capsys, "predict", lenet, text, "--device", "tpu")


def test_debug_shows_the_traceback(tmp_path):
    for arguments in (("--debug", "eval", tmp_path), ("eval", "--debug", tmp_path)):
        with pytest.raises(OSError):
            run(*arguments)


def test_a_mistake_of_the_program_says_so(lenet, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint.Checkpoint, "build", lambda self: 1 / 0)
    assert "ZeroDivisionError: division by zero (unexpected; the option --debug" in fails(capsys, "summary", lenet)


def test_ctrl_c(lenet, capsys, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoint, "build", interrupted)
    assert run("summary", lenet) == 130
    assert capsys.readouterr().err == ""


def python(*arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_in_a_process_of_its_own(tmp_path):
    status, out, err = python("-m", "tinycnn", "summary")
    assert (status, err) == (0, "") and "61,706" in out
    status, out, err = python("-m", "tinycnn", "eval", str(tmp_path / "none"))
    assert (status, out) == (1, "") and err.startswith("tinycnn eval: error: ") and err.count("\n") == 1


def test_help_loads_no_other_library():
    program = (
        "import sys, numpy.random; before = set(sys.modules); import tinycnn.cli; "
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "sys.exit(str(loaded - {'tinycnn', 'numpy', '__mp_main__'} - set(sys.stdlib_module_names) or '') or 0)"
    )
    assert python("-c", program) == (0, "", "")


# Odd surroundings

TRAINING = """
    import sys
    from tinycnn.cli import train
    from tinycnn.data import Silhouettes
    from tinycnn.__main__ import main
    data = Silhouettes(True, 300), Silhouettes(False, 50)
    train.load = lambda *arguments, **options: data
    sys.argv = ["tinycnn", "train", "--device", "cpu", "--execution", "plain", *sys.argv[1:]]
    {more}
    sys.exit(main())
"""


def start_training(folder, *arguments, more="", **options):
    program = textwrap.dedent(TRAINING.format(more=more))
    command = [sys.executable, "-c", program, *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, cwd=folder, text=True, encoding="utf-8", **options)


def ended(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out or "", err or ""


def test_a_backend_of_a_notebook_that_is_not_here_ends_nothing(tmp_path, monkeypatch):
    """`!tinycnn train` in a notebook inherits MPLBACKEND from it."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "module://no_such_backend")
    status, out, err = ended(start_training(tmp_path, "--epochs", "2"))
    assert status == 0 and "epoch 2/2" in out + err
    assert list(tmp_path.glob("runs/*/curves.png")) and "steps aside" not in err


def test_a_user_without_a_home_trains(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    patch = "pathlib.Path.home = classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError('no home')))"
    status, _, err = ended(start_training(tmp_path, "--epochs", "1", more=f"import pathlib; {patch}"))
    assert status == 0, err
    program = f"import pathlib; {patch}; from tinycnn.data.sources import FASHION, search_folders; " + (
        "print(*search_folders(FASHION, 'D'))"
    )
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    status, out, err = python("-c", program)
    assert (status, err) == (0, "") and out.startswith("D ")


def test_without_output_or_with_an_odd_error_stream_it_trains(tmp_path):
    odd = "odd = {'write': lambda *a: 0, 'flush': lambda *a: 0}; sys.stderr = type('Odd', (), odd)()"
    for name, more in (("none", "sys.stdout = sys.stderr = None"), ("odd", odd)):
        status, _, err = ended(start_training(tmp_path, "--epochs", "1", "--save", f"{name}.safetensors", more=more))
        assert status == 0, err
        assert checkpoint.load(tmp_path / f"{name}.safetensors").about["run"]["epoch"] == 1


@pytest.mark.skipif(os.name != "posix", reason="a closed pipe shows itself otherwise elsewhere")
def test_head_gets_its_lines_and_the_run_is_saved(tmp_path):
    process = start_training(tmp_path, "--epochs", "12", "--save", "net.safetensors")
    assert any("epoch  1/12" in line for line in process.stdout), process.stderr.read()  # or it has ended before
    process.stdout.close()
    process.stdout = None
    status, _, err = ended(process)
    assert status == 1 and "Traceback" not in err
    assert checkpoint.load(tmp_path / "net.safetensors").about["run"]["epoch"] == 12


def test_a_broken_pipe_of_the_run_itself_is_told(lenet, capsys, monkeypatch):
    """A worker that was killed is not a reader who has enough."""

    def broken(self):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(checkpoint.Checkpoint, "build", broken)
    assert "Broken pipe" in fails(capsys, "summary", lenet)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_so(tmp_path, number):
    more = "import os, signal; from tinycnn.training import Progress; " + (
        f"Progress.on_batch = lambda self, run: os.kill(os.getpid(), {int(number)}) if run.batch == 1 else None"
    )
    arguments = "--epochs", "2", "--batch-size", "64", "--save", "net.safetensors"
    status, out, err = ended(start_training(tmp_path, *arguments, more=more))
    assert (status, err) == (143 if number == signal.SIGTERM else 0, "")
    assert f"stopped by {'SIGTERM' if number == signal.SIGTERM else 'Ctrl-C'} after batch" in out
    assert checkpoint.load(tmp_path / "net.safetensors").about["run"]["batch"] in (1, 2)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_during_the_imports_is_quiet(tmp_path):
    program = """
        import builtins, os, signal, sys
        usual = builtins.__import__
        def slow(name, *arguments):
            if name.startswith("tinycnn.cli"):
                os.kill(os.getpid(), signal.SIGINT)
            return usual(name, *arguments)
        from tinycnn.__main__ import main
        builtins.__import__ = slow
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGINT and done.stderr == b""


def test_text_from_a_file_does_nothing_to_the_terminal(lenet, capsys, tmp_path):
    checkpoint.save(tmp_path / "x.safetensors", LeNet(), about={"dataset": {"name": "\x1b]0;owned\x07"}})
    assert run("summary", tmp_path / "x.safetensors") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "trained on \\x1b]0;owned\\x07" in out


# Marking


HOMEWORK = """
from tinycnn.ops.conv2d import conv2d_loops

def my_conv2d(x, w, b, stride, padding):
    return conv2d_loops(x, w, {bias}, (stride, stride), (padding, padding))
"""


def test_grade(tmp_path, capsys):
    file, results = tmp_path / "homework.py", tmp_path / "results.json"
    file.write_text(HOMEWORK.format(bias="b"), encoding="utf-8")
    assert run("grade", file) == 0 and "my_conv2d: well done" in capsys.readouterr().out
    file.write_text(HOMEWORK.format(bias="0 * b"), encoding="utf-8")
    assert run("grade", file, "--json", results) == 1 and "the bias is not added" in capsys.readouterr().out
    tests = json.loads(results.read_text(encoding="utf-8"))["tests"]
    assert len(tests) == 8 and {test["score"] for test in tests} == {0} and "expected" in tests[0]["output"]
    assert "homework.py defines no conv" in fails(capsys, "grade", file, "--function", "conv")
    file.write_text("exit()", encoding="utf-8")
    assert "homework.py cannot be run: SystemExit" in fails(capsys, "grade", file)


# Photos as they are


def photographed(pixels, rng, noise=0.0, vignette=0.0, slope=0.0, dark=False, height=600, width=800):
    """A drawing (H, W) of 0 to 1 as a photo of 0 to 255: off the centre, in uneven light, with noise."""
    canvas = np.zeros((height, width))
    h, w = pixels.shape
    top, left = rng.integers(30, height - h - 30), rng.integers(30, width - w - 30)
    canvas[top : top + h, left : left + w] = pixels
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    photo = 0.05 + 0.95 * canvas if dark else 0.95 * (1 - canvas)
    photo *= (1 - vignette * (x * x + y * y) / 2) * (1 - slope * (x + 1) / 2)
    return np.clip(255 * photo + noise * rng.standard_normal(photo.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def shirt(draw):
    """A shirt of 28x28 as it should look, and large, as numbers of 0 to 1."""
    path = draw("clean.png", "white", "black")
    large = 1 - np.asarray(pytest.importorskip("PIL.Image").open(path).convert("L"), np.float32)[40:261, 10:191] / 255
    return read_photo(path), large


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "light",
    [{}, {"noise": 4}, {"noise": 8}, {"vignette": 0.3}, {"slope": 0.2}, {"noise": 8, "vignette": 0.3, "slope": 0.1}],
)
def test_noise_and_uneven_light_do_not_defeat_the_crop(light, dark, shirt, tmp_path, rng):
    image = pytest.importorskip("PIL.Image")
    expected, large = shirt
    for name, options in (("x.png", {}), ("x.jpg", {"quality": 60})):
        image.fromarray(photographed(large, rng, dark=dark, **light)).save(tmp_path / name, **options)
        found = read_photo(tmp_path / name).astype(int)
        assert np.abs(found - expected).mean() < 30  # another place between the pixels makes 10 to 25
        assert found[0].max() > 100 < found[27].max() and found[14, 14] > 200


def test_one_speck_is_no_object(draw, tmp_path):
    image = pytest.importorskip("PIL.Image")
    expected = read_photo(draw("shirt.png", "white", "black"))
    photo = image.open(tmp_path / "shirt.png")
    photo.putpixel((3, 290), (0, 0, 0))
    photo.save(tmp_path / "speck.png")
    assert np.array_equal(read_photo(tmp_path / "speck.png"), expected)


def test_a_white_shirt_on_nothing_is_seen(draw):
    image = read_photo(draw("white.png", (0, 0, 0, 0), (255, 255, 255, 255), "RGBA"))
    assert image[14, 14] > 240 and np.median(image[:, [0, 27]]) == 0


def test_twelve_bits_in_sixteen_are_seen(draw):
    assert read_photo(draw("deep.png", 4000, 100, "I;16"))[14, 14] > 240


def test_one_unreadable_file_among_many_is_told_and_the_others_predicted(lenet, draw, tmp_path, capsys):
    good, bad = draw("good.png", "white", "black"), tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    assert run("predict", lenet, good, bad, good.rename(tmp_path / "again.png")) == 1
    out, err = capsys.readouterr()
    assert "again.png: " in out and "bad.png: not an image" in err and "good.png: No such file" in err


def test_show_writes_what_the_net_is_shown(lenet, draw, tmp_path):
    image = pytest.importorskip("PIL.Image")
    photos = [draw(f"{k}.png", "white", "black") for k in range(2)]
    assert run("predict", lenet, *photos, "--show", tmp_path / "shown.png") == 0
    shown = np.asarray(image.open(tmp_path / "shown.png"))
    assert shown.shape == (4 * 29, 4 * 58)
    assert np.array_equal(shown[::4, ::4][:28, :28], read_photo(photos[0]))


def test_a_small_file_that_becomes_a_huge_picture_is_refused_before_it_does(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.new("1", (8000, 8000)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb.png: damaged, or too large \(8000 x 8000 pixels, expected 50,000,000"):
        read_photo(tmp_path / "bomb.png")


def test_a_format_for_which_other_programs_would_be_run_is_refused(tmp_path):
    pytest.importorskip("PIL.Image")
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(ValueError, match=r"x.png: not an image, or of another kind than PNG, JPEG"):
        read_photo(tmp_path / "x.png")
