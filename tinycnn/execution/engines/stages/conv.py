"""conv: a convolution, an activation and a pooling side by side, as one stage (ops/conv2d.py).

    z = A @ cols        y = tail(z + B)        see tail.py

A are the weights and B the bias, folded.  With many channels B needs no pass of its own: columns have a row of ones.

Sizes   G groups   O filters   C channels of one group   H, W image, padded   R rows of the columns per row of taps
        KH, KW kernel   OH, OW output   N images

Read in this order: tail.py, Columns, Conv.forward, Conv.backward, Conv.deposit, DataByRows, DataByColumns.
"""

from collections.abc import Iterator

import numpy as np

from tinycnn.backend import Array, Product, SumOfProducts, aligned, aligned_rows, strided
from tinycnn.execution.engines.stages.activations import ACTIVATIONS
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.tail import CACHE, Tail, as_products
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage

ROWS_PER_ONE = 24  # from so many rows of columns on, one more costs less than a pass over the result
PASS = 60  # multiply-adds that take as long as moving one number in and out of columns, which are larger than caches


class Columns:
    """The columns of im2col over buffers: the shifts along the width are copied, those along the height overlap.

    Of the image's padded rows, row h holds C*KW shifts of itself, and perhaps a row of ones; cols (G, OH, KH*R, OW*N)
    is a view in which neighbouring output rows share all image rows but SH.
    """

    def __init__(self, stage: Stage, x: Values, ones: bool) -> None:
        (KH, KW), (SH, SW), (DH, DW), (_, OH, OW) = stage.kernel, stage.stride, stage.dilation, stage.sums
        G, C, N = stage.groups, stage.takes[0] // stage.groups, x.images
        image = x.framed.reshape(G, C, *x.framed.shape[1:])  # (G, C, H, W, N)
        H, R = image.shape[2], C * KW + ones
        g, c, h, w, n = image.strides
        if (KH, KW, SW) == (1, 1, 1) and not ones:  # the image is its own columns
            self.cols, self.copies = strided(image, (G, OH, C, OW * N), (g, h * SH, c, n)), []
            return
        shifted = aligned_rows((G, H, R, OW * N), x.dtype, 1)
        window = strided(image, (G, H, C, KW, OW, N), (g, h, c, w * DW, w * SW, n))
        self.copies = [(shifted[:, :, : C * KW].reshape(G, H, C, KW, OW, N), window)]  # (to, from)
        g, h, r, n = shifted.strides
        if DH == 1:
            self.cols = strided(shifted, (G, OH, KH * R, OW * N), (g, h * SH, r, n))
        else:  # dilated rows are not neighbours in memory
            self.cols = aligned_rows((G, OH, KH * R, OW * N), x.dtype)
            rows = strided(shifted, (G, OH, KH, R, OW * N), (g, h * SH, h * DH, r, n))
            self.copies.append((self.cols.reshape(rows.shape), rows))

    def fill(self) -> None:
        """From the image as it is now."""
        for target, source in self.copies:
            np.copyto(target, source)


class Conv(PartStage):
    """x (G*C, H, W, N) -> (O, OH, OW, N), or as many windows as its pooling has."""

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        self.x = x = x.within(stage.padding)
        self.weight, self.bias = stage.parameters["weight"], stage.parameters.get("bias")
        self.owns = frozenset(map(id, stage.parameters.values()))
        self.activation = ACTIVATIONS[stage.activation]
        (O, C, KH, KW), G, (_, OH, OW), N = self.weight.shape, stage.groups, stage.sums, x.images
        adds = self.bias is not None or x.shift != 0
        pooled, maximum = stage.pooling != "NO_POOL", stage.pooling == "MAXIMUM"
        self.ones = adds and C * KW >= ROWS_PER_ONE and not maximum  # behind which there is less to pass over
        self.columns = Columns(stage, x, self.ones)
        mean = 1 / np.prod(stage.window) if stage.pooling == "AVERAGE" else 1.0
        scale = float(self.activation.scale * mean)  # the buffer holds sums
        self.out = Values(stage.gives, N, x.dtype, scale, self.activation.shift, frame)
        self.out.read_once = self.activation.slope is None and not pooled
        self.y = _grouped(self.out.y, G)  # (G, O/G, ..., N)
        self.z = aligned((G, O // G, OH, OW, N), x.dtype) if pooled else self.y
        self.A = aligned((G, 1, O // G, KH, C * KW + self.ones), x.dtype, 0)
        self.B = aligned((G, O // G, 1, 1, 1), x.dtype, 0) if adds and not self.ones else None
        A = self.A.reshape(G, 1, O // G, -1)  # (G, 1, O/G, KH*R)
        self.product = Product(A, self.columns.cols, out=as_products(self.z))  # every filter, every column
        self.dA, self.dB = aligned((G, O // G, A.shape[-1]), x.dtype), aligned((G, O // G), x.dtype)
        self.tails = list(self._tails(stage, scratch))
        way = DataByRows if DataByRows.suits(stage) else DataByColumns
        self.back = way(stage, self.A, x, self.z, scratch)
        cols = self.columns.cols.swapaxes(2, 3)
        self.weights_from = {  # by whether there is a gradient of the image too; dA (G, O/G, KH*R)   from z = A @ cols
            passed: SumOfProducts(as_products(dz), cols, self.dA, scratch)
            for passed, dz in ((False, self.z), (True, self.back.dz))
        }

    def _tails(self, stage: Stage, scratch: Scratch) -> Iterator[tuple[slice, Tail]]:
        """What comes behind the product, for as many filters of each group at a time as fit in cache."""
        filters = self.z.shape[1]
        step = -(-filters // -(-self.z.nbytes // CACHE))
        for i in range(0, filters, step):
            some = slice(i, i + step)
            B = None if self.B is None else self.B[:, some]
            yield some, Tail(stage, self.z[:, some], self.y[:, some], B, scratch)

    def fold(self) -> None:
        (O, C, KH, KW), w, factor = self.weight.shape, self.weight.data, self.activation.inner
        rows = self.A.reshape(O, KH, -1)  # (O, KH, R)
        taps = rows[:, :, : C * KW].reshape(O, KH, C, KW)
        np.multiply(w.transpose(0, 2, 1, 3), factor * self.x.scale, out=taps)
        if self.ones or self.B is not None:
            B = factor * ((0 if self.bias is None else self.bias.data) + self.x.shift * w.sum(axis=(1, 2, 3)))
            if self.B is None:
                rows[:, 0, -1] = B  # times the row of ones under the first row of taps; the others' count nothing
            else:
                self.B[...] = B.reshape(self.B.shape)
        self.back.fold()

    def forward(self, train: bool) -> None:
        self.columns.fill()
        self.product()
        for _, tail in self.tails:
            tail.forward(train)

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        dz = self.back.dz if pass_on else self.z  # (G, O/G, OH, OW, N)
        d, dB = _grouped(d, len(self.A)), None if self.B is None else self.dB
        for some, tail in self.tails:
            tail.backward(d[:, some], dz[:, some], None if dB is None else dB[:, some])
        if gradients.keys() & self.owns:
            self.weights_from[pass_on]()
            self.deposit(self.dA, dB, gradients)
        return self.back.give_back() if pass_on else None

    def deposit(self, dA: Array, dB: Array | None, gradients: Gradients) -> None:
        """The parameters' gradients from those of A = factor * scale * w and B = factor * (b + shift * sum of w).

        By the chain rule dw is factor * scale * dA + factor * shift * dB, and db is factor * dB.
        """
        (O, C, KH, KW), factor = self.weight.shape, self.activation.inner
        rows = dA.reshape(O, KH, -1)  # (O, KH, R)
        if self.ones:
            dB = rows[:, 0, -1]
        if (dw := gradients.get(id(self.weight))) is not None:
            taps = rows[:, :, : C * KW].reshape(O, KH, C, KW).transpose(0, 2, 1, 3)  # (O, C, KH, KW)
            np.multiply(taps, factor * self.x.scale, out=dw)
            if self.x.shift and dB is not None:
                dw += factor * self.x.shift * dB.reshape(O, 1, 1, 1)
        if (db := gradients.get(id(self.bias))) is not None and dB is not None:
            np.multiply(dB.reshape(-1), factor, out=db)


def _grouped(y: Array, groups: int) -> Array:
    """A map (O, OH, OW, N) by groups of filters: (G, O/G, OH, OW, N), a view."""
    o, *rest = y.strides
    return strided(y, (groups, len(y) // groups, *y.shape[1:]), (o * (len(y) // groups), o, *rest))


class DataGradient:
    """The gradient of the image from dz, which lies where it suits: the adjoint of columns and product together."""

    dz: Array  # (G, O/G, OH, OW, N), to be filled
    product: Product

    def __init__(self, stage: Stage, A: Array, x: Values) -> None:
        (C, H, W), (_, KW), G = stage.takes, stage.kernel, stage.groups
        self.A, self.taps, self.padding = A, C // G * KW, stage.padding
        self.dx = aligned((C, H, W, x.images), x.dtype)
        self.rows = self.dx.reshape(G, C // G, H, W, -1).swapaxes(1, 2)  # (G, H, C, W, N)
        self.moves = sorted(_moves(W, stage), key=lambda move: move[2] != slice(0, W, 1))
        self.filled = self.moves[0][2] == slice(0, W, 1)  # the first tap along the width meets every pixel

    def fold(self) -> None:
        """Turn the weights round as the product wants them."""

    def give_back(self) -> Array:
        """The gradient of the image (C, H, W, N)."""
        raise NotImplementedError

    def _add_shifts(self, shifted: Array) -> Array:
        """From the gradient of the shifts (G, H, C*KW, OW*N), row by row, to that of the image: undo the width's."""
        G, H, C, W, N = self.rows.shape
        shifts = shifted.reshape(G, H, C, self.taps // C, -1, N)  # (G, H, C, KW, OW, N)
        if not self.filled:
            self.rows[...] = 0
        for k, (v, windows, pixels) in enumerate(self.moves):
            if k == 0 and self.filled:
                self.rows[...] = shifts[:, :, :, v, windows]
            else:
                self.rows[:, :, :, pixels] += shifts[:, :, :, v, windows]
        return self.dx


class DataByRows(DataGradient):
    """As one product over overlapping rows of dz, just as the columns are overlapping rows of the image.

    dz is framed by rows of zeros.  Image row h gets something from output rows h - KH + 1 to h; as neighbours in
    memory (O, OW*N) each, they are one matrix (KH*O, OW*N), and the weights with their rows turned round, (C*KW, KH*O),
    times that matrix are the gradient of the row's shifts.  No gradient of columns is ever made.
    """

    @staticmethod
    def suits(stage: Stage) -> bool:
        """Whether the rows are neighbours, and more multiply-adds for the frame cost less than the columns' passes."""
        (KH, _), (PH, _), (_, OH, _) = stage.kernel, stage.padding, stage.sums
        O, H = stage.sums[0] // stage.groups, stage.takes[1]
        return stage.stride[0] == stage.dilation[0] == 1 and KH > PH and O * H <= (O + PASS) * OH

    def __init__(self, stage: Stage, A: Array, x: Values, z: Array, scratch: Scratch) -> None:
        super().__init__(stage, A, x)
        (G, O, OH, OW, N), KH, H = z.shape, stage.kernel[0], stage.takes[1]
        frame = KH - 1 - stage.padding[0]
        framed = aligned_rows((G, OH + 2 * frame, O, OW * N), x.dtype, 0)
        inner = framed[:, frame : frame + OH]  # (G, OH, O, OW*N)   here O counts the filters of one group
        self.dz = inner.swapaxes(1, 2).reshape(G, O, OH, OW, N)
        neighbours = strided(framed, (G, H, KH * O, OW * N), framed.strides)
        self.turned = aligned((G, self.taps, KH, O), x.dtype)
        self.shifted = scratch(G, H, self.taps, OW * N)
        self.product = Product(self.turned.reshape(G, 1, self.taps, -1), neighbours, out=self.shifted)

    def fold(self) -> None:
        taps = self.A[:, 0, :, ::-1, : self.taps]  # (G, O/G, KH, C*KW)
        np.copyto(self.turned, taps.transpose(0, 3, 2, 1))

    def give_back(self) -> Array:
        self.product()
        return self._add_shifts(self.shifted)


class DataByColumns(DataGradient):
    """By columns and col2im, as the op does it: fewer multiply-adds where strides or many filters make that matter."""

    def __init__(self, stage: Stage, A: Array, x: Values, z: Array, scratch: Scratch) -> None:
        super().__init__(stage, A, x)
        (G, O, OH, OW, N), KH, H = z.shape, stage.kernel[0], stage.takes[1]
        self.steps = stage.stride[0], stage.dilation[0]
        self.dz = z  # the gradient takes the place of the map
        self.turned = aligned((G, 1, KH, self.taps, O), x.dtype)
        self.dcols = scratch(G, OH, KH * self.taps, OW * N)
        self.product = Product(self.turned.reshape(G, 1, KH * self.taps, O), as_products(z), out=self.dcols)
        self.shifted = aligned((G, H + 2 * stage.padding[0], self.taps, OW * N), x.dtype)

    def fold(self) -> None:
        np.copyto(self.turned, self.A[..., : self.taps].transpose(0, 1, 3, 4, 2))

    def give_back(self) -> Array:
        G, _, KH, taps, _ = self.turned.shape
        self.product()
        stacked = self.dcols.reshape(G, -1, KH, taps, self.dcols.shape[-1])  # (G, OH, KH, C*KW, OW*N)
        (SH, DH), OH, PH, H = self.steps, stacked.shape[1], self.padding[0], self.dx.shape[1]
        self.shifted[...] = 0
        for u in range(KH):
            self.shifted[:, u * DH : u * DH + SH * (OH - 1) + 1 : SH] += stacked[:, :, u]
        return self._add_shifts(self.shifted[:, PH : PH + H])


def _moves(W: int, stage: Stage) -> Iterator[tuple[int, slice, slice]]:
    """Per tap along the width that meets pixels: (tap, the windows where it does, the pixels)."""
    KW, SW, PW, DW, OW = (
        pair[1] for pair in (stage.kernel, stage.stride, stage.padding, stage.dilation, stage.sums[1:])
    )
    for v in range(KW):
        offset = v * DW - PW  # window j meets pixel j*SW + offset
        first, last = max(0, -(offset // SW)), min(OW - 1, (W - 1 - offset) // SW)
        if first <= last:
            yield v, slice(first, last + 1), slice(first * SW + offset, last * SW + offset + 1, SW)
