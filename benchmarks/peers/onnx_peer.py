"""onnxruntime: inference alone, on the file that tinycnn exports."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

from peers import CHANNELS, cycle, images
from tinycnn import onnx
from tinycnn.models import LeNet

NAMES = ("onnxruntime",)
TRAINS = False


def make(variant, net, batch, train, threads):
    wide = {"activation": "relu", "pool": "max"} if net == "wide" else {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = onnx.export(LeNet(channels=CHANNELS[net], **wide), Path(folder) / "lenet.onnx", (batch, 1, 28, 28))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    following, last = cycle([(x.astype("float32") / 255, y) for x, y in images(batch)]), [0.0]
    each = np.arange(batch)

    def infer():
        x, y = following()
        (logits,) = session.run(None, {"input": x})
        shifted = logits - logits.max(axis=1, keepdims=True)
        last[0] = float((np.log(np.exp(shifted).sum(axis=1)) - shifted[each, y]).mean())
        int((logits.argmax(axis=1) == y).sum())

    return infer, lambda: last[0]
