"""graph: an ONNX graph that grows by one layer after another."""

from typing import Any

import numpy as np

import tinycnn
from tinycnn.backend import Array, to_numpy
from tinycnn.nn import Module

OPSET = 17  # of 2022: old enough for the runtimes in use, and all that is needed here
IR_VERSION = 8  # the file layout of that time

Shape = tuple[int, ...]


class Graph:
    """An ONNX graph that grows by one layer after another; `value` is the newest one's output, of shape `shape`."""

    def __init__(self, library: Any, input_shape: Shape, dtype: "np.dtype[Any]") -> None:
        self.library, self.dtype = library, dtype
        self.input_shape = self.shape = input_shape
        self.value = "input"
        self.layer = ""  # the name of the one that is being added
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = {}
        self.names: set[str] = set()

    def node(self, operator: str, *inputs: str, name: str = "", **options: Any) -> str:
        """One node that takes the newest value and `inputs`; its name is the layer's, and `name` if there are more."""
        wanted = ".".join(part for part in (self.layer, name) if part) or operator
        while wanted in self.names:  # a layer that runs twice
            wanted += "'"
        self.names.add(wanted)
        taken, self.value = self.value, f"{wanted}.output"
        self.nodes.append(self.library.helper.make_node(operator, [taken, *inputs], [self.value], wanted, **options))
        return self.value

    def array(self, name: str, array: Array) -> str:
        """An array of the file, named after the layer."""
        full = f"{self.layer}.{name}".lstrip(".")
        self.arrays[full] = np.ascontiguousarray(to_numpy(array))
        return full

    def finished(self, name: str) -> Any:
        """The whole as an ONNX model, with every value's shape, checked by ONNX itself."""
        if not self.nodes:
            raise ValueError("export: the model has no layers, expected at least one")
        self.nodes[-1].output[0] = "output"
        helper = self.library.helper
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        images = helper.make_tensor_value_info("input", kind, ["batch", *self.input_shape[1:]])
        output = helper.make_tensor_value_info("output", kind, None)
        arrays = [self.library.numpy_helper.from_array(array, key) for key, array in self.arrays.items()]
        model = helper.make_model(
            helper.make_graph(self.nodes, name, [images], [output], arrays),
            producer_name="tinycnn",
            producer_version=tinycnn.__version__,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        model = self.library.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        self.library.checker.check_model(model, full_check=True)
        return model


def title(name: str, module: Module) -> str:
    """ "layer features.0 (Norm)", or the class alone for the whole model."""
    return f"layer {name} ({type(module).__name__})" if name else type(module).__name__
