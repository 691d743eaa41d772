# %% [markdown]
# # 6. Backward through a convolution
#
# **Question.** im2col copies every window into a column.  Backward needs the way back, `col2im`.  If you run both,
# one after the other, do you get your image back?  Say yes or no before you read on.
#
# To be touched rather than computed: the tab Backward of the page that `python -m tinycnn.explain --open` writes.

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import functional as F
from tinycnn.explain import figures


def im2col(x, KH, KW, S):
    """Every window of x (C, H, W) as a column: (C*KH*KW, OH*OW)."""
    C, H, W = x.shape
    OH, OW = (H - KH) // S + 1, (W - KW) // S + 1
    cols = np.empty((C * KH * KW, OH * OW))
    for i in range(OH):
        for j in range(OW):
            cols[:, i * OW + j] = x[:, i * S : i * S + KH, j * S : j * S + KW].ravel()
    return cols


def col2im(cols, shape, KH, KW, S):
    """Add every column to the pixels where im2col would have read it: (C*KH*KW, OH*OW) -> (C, H, W)."""
    C, H, W = shape
    OH, OW = (H - KH) // S + 1, (W - KW) // S + 1
    x = np.zeros(shape)
    for i in range(OH):
        for j in range(OW):
            x[:, i * S : i * S + KH, j * S : j * S + KW] += cols[:, i * OW + j].reshape(C, KH, KW)
    return x


# %% [markdown]
# ## No: you get it several times over
#
# Three pixels `5 6 7` and a window of two.  The columns are `5 6` and `6 7`.  Added back: `5 12 7`.  The middle
# pixel was copied twice, so it comes back twice.

# %%
x = np.array([[[5.0, 6, 7]]])  # (C, H, W) with one row
there_and_back = col2im(im2col(x, 1, 2, 1), x.shape, 1, 2, 1)
print("5 6 7 there and back:", there_and_back.astype(int).ravel().tolist())
assert there_and_back.ravel().tolist() == [5, 12, 7]

# %% [markdown]
# In general  col2im(im2col(x)) = x * (how many windows cover each pixel),  and that count is col2im of ones.  Where a
# stride skips pixels the count is 0, and they are lost.

# %%
rng = np.random.default_rng(6)
for shape, KH, KW, S in [((1, 6, 6), 3, 3, 1), ((2, 7, 5), 3, 2, 2), ((3, 4, 9), 2, 2, 3)]:
    x = rng.integers(-9, 10, shape).astype(float)
    cols = im2col(x, KH, KW, S)
    count = col2im(np.ones_like(cols), shape, KH, KW, S)
    back = col2im(cols, shape, KH, KW, S)
    equal = np.array_equal(back, x * count)
    print(f"{shape}, window {KH}x{KW}, stride {S}: equal {equal}, counts up to {count.max():.0f}")
    assert np.array_equal(back, x * count)

# %% [markdown]
# ## So what is col2im, if not the inverse?
#
# It is the *adjoint*, the transpose of im2col.  im2col is linear, so it is multiplication by some big matrix of
# zeros and ones, and col2im is multiplication by that matrix transposed.  The test of a transpose, which needs no
# matrix: for any image x and any columns c,
#
#     <im2col(x), c>  =  <x, col2im(c)>          <a, b> is the sum of all a * b
#
# Why backward wants just this: if the loss changes by c per unit of each column's numbers, then it changes by
# col2im(c) per unit of each pixel, because a pixel that sits in four columns acts through all four.

# %%
x, KH, KW, S = rng.integers(-9, 10, (2, 7, 5)).astype(float), 3, 2, 2
c = rng.integers(-9, 10, im2col(x, KH, KW, S).shape).astype(float)
left, right = (im2col(x, KH, KW, S) * c).sum(), (x * col2im(c, x.shape, KH, KW, S)).sum()
print(f"<im2col(x), c> = {left:.0f} = {right:.0f} = <x, col2im(c)>")
assert left == right

matrix = np.stack([im2col(e.reshape(1, 2, 4), 2, 2, 1).ravel() for e in np.eye(8)], axis=1)
transposed = np.stack([col2im(e.reshape(4, 3), (1, 2, 4), 2, 2, 1).ravel() for e in np.eye(12)], axis=1)
print(f"as matrices: im2col {matrix.shape}, col2im {transposed.shape}: transposed {(matrix.T == transposed).all()}")
assert np.array_equal(matrix.T, transposed)

# %% [markdown]
# ## The gradient of one weight, by hand
#
# The *gradient* of a number says how much the loss grows when the number grows a little: its slope.  Take the image and
# the kernel of lesson 1, and let the loss have the slopes dy by the four outputs:
#
#     image     kernel     y         dy
#     0 1 2     0 1        19 25     1  0
#     3 4 5     2 3        37 43     0 -2
#     6 7 8
#
# How does the kernel's top left weight get its gradient?  It was used in all four windows, on the pixels 0, 1, 3 and 4.
# If it grows by a little, each output grows by its own pixel times as much, and the loss by that times the output's
# slope.  Every place has a share, and the shares add up:
#
#     0*1 + 1*0 + 3*0 + 4*(-2)  =  -8

# %%
image, kernel = np.arange(9.0).reshape(1, 1, 3, 3), np.arange(4.0).reshape(1, 1, 2, 2)
slopes = np.array([[1.0, 0], [0, -2]])


def loss(first_weight):
    """A loss that has these slopes: the outputs, each times its own."""
    changed = kernel.copy()
    changed[0, 0, 0, 0] = first_weight
    return float((F.conv2d(tinycnn.tensor(image), tinycnn.tensor(changed)).numpy() * slopes).sum())


measured = (loss(1e-3) - loss(-1e-3)) / 2e-3  # the weight is 0: a little more, a little less
shares = image[0, 0, :2, :2] * slopes  # the pixels that it met, times the slopes
print(f"the sum of the shares is {shares.sum():.0f}, measured it is {measured:.3f}")
assert abs(measured - shares.sum()) < 1e-9 and shares.sum() == -8

# %% [markdown]
# ## The whole backward, in three lines
#
# Forward was  y = w @ cols + b,  with y (O, places), w (O, taps), cols (taps, places).  Given dy, the loss's slope
# by y:
#
#     db = dy summed over places            b was added everywhere
#     dw = dy @ cols.T                      w met every column
#     dx = col2im(w.T @ dy)                 back through the product, then back through im2col

# %%
x, w, b = rng.uniform(-1, 1, (2, 7, 5)), rng.uniform(-1, 1, (4, 2, 3, 2)), rng.uniform(-1, 1, 4)
inputs = [tinycnn.tensor(t, requires_grad=True) for t in (x[None], w, b)]
y = F.conv2d(*inputs, stride=2)
dy = rng.uniform(-1, 1, y.shape)
y.backward(dy)  # the engine's own gradients

dy, w2d, cols = dy[0].reshape(4, -1), w.reshape(4, -1), im2col(x, 3, 2, 2)
ours = {"dx": col2im(w2d.T @ dy, x.shape, 3, 2, 2), "dw": (dy @ cols.T).reshape(w.shape), "db": dy.sum(axis=1)}
for (name, gradient), t in zip(ours.items(), inputs, strict=True):
    difference = np.abs(gradient - t.grad.numpy().reshape(gradient.shape)).max()
    print(f"{name}: three lines against the engine, largest difference {difference:.1e}")
    assert difference < 1e-12

if figures.can_draw():
    image = np.ones((1, 9, 9))
    counts = [col2im(im2col(image, 3, 3, stride), image.shape, 3, 3, stride)[0] for stride in (1, 2, 3)]
    titles = [f"stride {stride}: up to {count.max():.0f}" for stride, count in zip((1, 2, 3), counts, strict=True)]
    figure = figures.pictures(counts, titles, 3, signed=True, title="How many 3x3 windows cover each pixel")
    print("wrote", figures.save(figure, "06_windows_per_pixel.png"))

# %% [markdown]
# ## And through a pooling?
#
# Each pixel had a quarter's share in an average, so it gets a quarter of its gradient.  A maximum has one winner,
# which takes all; the others could have been a little different without any effect.

# %%
image = tinycnn.tensor(np.array([[[[1.0, 2, 0, 0], [3, 4, 2, 0], [0, 0, 7, 9], [4, 0, 8, 8]]]]), requires_grad=True)
F.avg_pool2d(image, 2).sum().backward()
print("gradient of the averages:", np.unique(image.grad.numpy()).tolist())
assert (image.grad.numpy() == 0.25).all()
image.grad = None
F.max_pool2d(image, 2).sum().backward()
print("gradient of the maxima:")
print(image.grad.numpy()[0, 0].astype(int))
assert image.grad.numpy()[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]

# %% [markdown]
# ## Exercise
#
# The three lines are for one image.  Write dw and db for a batch, with `im2col` from above.


# %%
# your code
def weight_gradients(x, w, dy, S):
    """dw and db: x (N, C, H, W), w (O, C, KH, KW), dy (N, O, OH, OW), the stride S; no padding."""
    ...


print(tinycnn.check.lesson6(weight_gradients))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def weight_gradients(x, w, dy, S):
    dw, db = np.zeros_like(w), np.zeros(len(w))
    for image, slopes in zip(x, dy, strict=True):
        dy2d = slopes.reshape(len(w), -1)  # (O, places)
        dw += (dy2d @ im2col(image, *w.shape[2:], S).T).reshape(w.shape)
        db += dy2d.sum(axis=1)
    return dw, db


verdict = tinycnn.check.lesson6(weight_gradients)
print(verdict)
assert verdict.passed

# %% [markdown]
# With windows of 3x3: for which stride is col2im(im2col(x)) = x, whatever x is?  Name an image's height and width, too.
# In that one case the transpose *is* the inverse.

# %%
# your code
stride, height, width = ..., ..., ...
print(tinycnn.check.lesson6_inverse(stride, height, width))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
stride, height, width = 3, 6, 9  # windows side by side, and nothing left over
x = rng.integers(-9, 10, (1, height, width)).astype(float)
assert np.array_equal(col2im(im2col(x, 3, 3, stride), x.shape, 3, 3, stride), x)
verdict = tinycnn.check.lesson6_inverse(stride, height, width)
print(verdict)
assert verdict.passed
