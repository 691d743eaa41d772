"""summary: what a net is made of, layer by layer, as a table.

    print(summary(LeNet(), (1, 1, 28, 28)))

The shapes are those of a real forward pass; the other columns follow from them by geometry's formulas.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycnn import geometry
from tinycnn.autograd.arguments import count
from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import to_device
from tinycnn.geometry import ReceptiveField
from tinycnn.nn import Conv2d, Module, Residual

Fields = tuple[ReceptiveField, ReceptiveField] | None  # along height and width; None where they are not known


@dataclass(frozen=True)
class Row:
    """One layer of the table.  Costs are those of one image, in float32; None where the kind of layer is not known."""

    name: str  # as in state_dict's keys
    layer: Module
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int | None
    receptive_field: tuple[int, int] | None  # height and width of the part of the image that one number depends on
    im2col_bytes: int


@dataclass(frozen=True)
class Summary:
    """The table: its rows, and the totals that print below them."""

    rows: list[Row]
    parameters: int  # each counted once, however often it is used
    multiply_adds: int  # of the layers where they are known

    def __str__(self) -> str:
        heads = ("layer", "output shape", "parameters", "multiply-adds", "receptive field", "im2col bytes")
        total = ("total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", "", "")
        lines = [heads, *[_cells(row) for row in self.rows], total]
        widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
        text = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
        rule = "-" * max(len(line) for line in text)
        return "\n".join([text[0], rule, *text[1:-1], rule, text[-1]])

    __repr__ = __str__


def summary(model: Module, input_shape: tuple[int, ...]) -> Summary:
    """What `model` does to an input of shape (N, C, H, W): per layer its output shape, parameters, multiply-adds and
    im2col memory per image, and receptive field; print the result to see the table.

    Runs one forward pass of zeros in evaluation mode, and leaves modes and gradients as they were.  A row is a module
    that has no modules inside.  Errors are those of the forward pass, which name the layer.
    """
    shape = tuple(count("summary", "every size of input_shape", n) for n in input_shape)
    parameters = list(model.parameters())
    dtype, device = (parameters[0].dtype, parameters[0].device) if parameters else (np.dtype(np.float32), "cpu")
    x = Tensor(to_device(np.zeros(shape, dtype), device))
    recorder = _Recorder(x)
    with model.evaluating(), model.watching(recorder.write, besides=Residual), no_grad():
        model(x)
    rows = recorder.rows
    return Summary(rows, sum(p.numel() for p in parameters), sum(row.multiply_adds or 0 for row in rows))


class _Recorder:
    """Writes a row each time a layer runs."""

    def __init__(self, image: Tensor) -> None:
        self.rows: list[Row] = []
        self.image = image.shape[2:]
        self.passed = [image]  # kept, so that no two of them have the same id
        self.newest: dict[Module, Fields] = {}  # of each layer's last output
        start = ReceptiveField()
        self.fields: dict[int, Fields] = {id(image): (start, start) if image.ndim == 4 else None}

    def write(self, name: str, layer: Module, x: Tensor, y: Tensor) -> None:
        self.passed.append(y)
        if isinstance(layer, Residual):
            self.fields[id(y)] = self._sum(layer)
            return
        fields = fields_through(layer, self.fields.get(id(x)), x.shape, y.shape, self.image)
        self.fields[id(y)] = self.newest[layer] = fields
        sizes = [min(field.size, n) for field, n in zip(fields, self.image, strict=True)] if fields else None
        self.rows.append(
            Row(
                name=name,
                layer=layer,
                output_shape=y.shape,
                parameters=sum(p.numel() for p in layer.parameters()),
                multiply_adds=layer.multiply_adds(y.shape) if layer.declared.sees else None,
                receptive_field=(sizes[0], sizes[1]) if sizes else None,
                im2col_bytes=_im2col_bytes(layer, y.shape),
            )
        )

    def _sum(self, layer: Residual) -> Fields:
        """What the sum of body and shortcut depends on: what either does, as far as the last layer in each is known."""
        both = [self.newest.get(list(part.modules())[-1]) for part in (layer.body, layer.shortcut)]
        if both[0] is None or both[1] is None:
            return None
        height, width = (a.joined(b) for a, b in zip(both[0], both[1], strict=True))
        return height, width


def fields_through(
    layer: Module, fields: Fields, before: tuple[int, ...], after: tuple[int, ...], image: tuple[int, ...]
) -> Fields:
    """The receptive fields of the layer's output, of shape `after`, from those of its input, of shape `before`."""
    sees = layer.declared.sees
    if fields is None or before[0] != after[0]:  # images are mixed with one another
        return None
    if sees in ("element", "batch"):  # a summary is made in evaluation
        return fields
    if sees == "window":
        sizes: Any = layer
        dilation = getattr(layer, "dilation", (1, 1))  # average pooling has none
        options = zip(sizes.kernel_size, sizes.stride, sizes.padding, dilation, strict=True)
        height, width = (field.through(*option) for field, option in zip(fields, options, strict=True))
        return height, width
    if sees == "map" and after[2:] == (1, 1) or sees == "row" and len(before) == 2:  # the whole image
        return ReceptiveField(image[0]), ReceptiveField(image[1])
    return None


def _im2col_bytes(layer: Module, output_shape: tuple[int, ...]) -> int:
    if not isinstance(layer, Conv2d):
        return 0
    return geometry.im2col_bytes(layer.in_channels, layer.kernel_size, output_shape[2:])


def _cells(row: Row) -> tuple[str, ...]:
    field = "?" if row.receptive_field is None else f"{row.receptive_field[0]} x {row.receptive_field[1]}"
    costs = [row.parameters, row.multiply_adds, row.im2col_bytes]
    parameters, multiply_adds, im2col = ("?" if cost is None else f"{cost:,}" if cost else "" for cost in costs)
    name = f"{row.name} {type(row.layer).__name__}".lstrip()
    return name, str(row.output_shape), parameters, multiply_adds, field, im2col


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    """Words to the left, numbers to the right."""
    return [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
