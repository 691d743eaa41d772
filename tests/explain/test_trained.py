"""The weights that come with the package: what they know, and that the same run would make them again."""

import numpy as np

from tinycnn import manual_seed
from tinycnn.data import Silhouettes
from tinycnn.explain import trained
from tinycnn.explain.measure import evaluate
from tinycnn.random import generator


def test_the_net_recognises_generated_garments(rng):
    model, untrained, _, _ = trained.load()
    seed = int(rng.integers(1000)) + 1  # garments that nobody has seen, whose images differ from those of seed 0
    test = Silhouettes(train=False, size=500, seed=seed)
    assert evaluate(model, test.images, test.labels, 10).accuracy > 0.93
    assert evaluate(untrained, test.images, test.labels, 10).accuracy < 0.3


def test_the_history_and_the_kernels_lead_to_these_weights():
    model, untrained, history, snapshots = trained.load()
    assert [x for x, _ in snapshots] == sorted(x for x, _ in snapshots)
    assert snapshots[0][0] == 0 and snapshots[-1][0] == history[-1]["x"] == trained.EPOCHS
    np.testing.assert_array_equal(snapshots[-1][1], model[0].weight.numpy())
    np.testing.assert_allclose(snapshots[0][1], untrained[0].weight.numpy(), atol=2e-4)
    test = Silhouettes(train=False, size=trained.TEST_IMAGES)
    accuracy = evaluate(model, test.images, test.labels, 10).accuracy
    assert abs(accuracy - history[-1]["test_acc"]) < 0.005  # but for half precision


def test_making_them_again_is_the_same_run(tmp_path):
    """Shorter: both times the same file, which begins with the same kernels as the one in the package."""
    files = [tmp_path / name for name in ("a.npz", "b.npz")]
    for file in files:
        trained.make(file, images=200, epochs=1)
    a, b, real = (trained.load(file) for file in (*files, trained.FILE))
    for name, array in a.model.state_dict().items():
        np.testing.assert_array_equal(array, b.model.state_dict()[name])
    np.testing.assert_array_equal(a.snapshots[0][1], real.snapshots[0][1])
    assert a.history == b.history and len(a.history) == 5  # four batches, one epoch


def test_loading_leaves_the_callers_random_numbers_alone():
    manual_seed(5)
    expected = generator().integers(1_000_000, size=3).tolist()
    manual_seed(5)
    found = generator().integers(1_000_000, size=1).tolist()
    trained.load()
    assert found + generator().integers(1_000_000, size=2).tolist() == expected
