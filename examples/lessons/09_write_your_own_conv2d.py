# %% [markdown]
# # 9. Write your own conv2d
#
# **Question.** You know all about convolutions now.  Do you?  Write one, forward and backward, and have it graded.
#
# Your function gets NumPy arrays x (N, C, H, W), w (O, C, KH, KW), b (O,) and two ints, and returns y (N, O, OH, OW).
# The grader runs it on awkward shapes.  When something is wrong, it compares your result with what the usual mistakes
# would give, and tells you which one it was.

# %%
import numpy as np

import tinycnn
import tinycnn.check

# %% [markdown]
# ## A first try
#
# It looks right, and without padding it is.


# %%
def first_try(x, w, b, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, 0), (padding, 0)))
    (N, _, H, W), (O, _, KH, KW) = x.shape, w.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = np.zeros((N, O, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            window = x[:, :, i * stride : i * stride + KH, j * stride : j * stride + KW]  # (N, C, KH, KW)
            y[:, :, i, j] = np.tensordot(window, w, ([1, 2, 3], [1, 2, 3])) + b
    return y


report = tinycnn.grade(first_try)
print(report)
assert not report.passed
assert report.forward.causes == ["the padding is at the top and left only; pad all four sides"]

# %% [markdown]
# ## The columns, forward and backward
#
# Second try: lesson 4's columns, and lesson 6's three lines.  Backward is a function that is returned beside y; it
# remembers what forward knew.  In a hurry, its author wrote `=` where col2im needs `+=`:


# %%
def with_columns(add):
    """A convolution by im2col; `add` says how a window's share gets into dx."""

    def my_conv2d(x, w, b, stride, padding):
        (N, C, H, W), (O, _, KH, KW) = x.shape, w.shape
        framed = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1

        def window(i, j):
            return np.s_[:, :, i * stride : i * stride + KH, j * stride : j * stride + KW]

        places = [(i, j) for i in range(OH) for j in range(OW)]
        cols = np.stack([framed[window(i, j)].reshape(N, -1) for i, j in places])  # (places, N, taps)
        w2d = w.reshape(O, -1)  # (O, taps)
        y = (cols @ w2d.T + b).transpose(1, 2, 0).reshape(N, O, OH, OW)

        def backward(dy):
            dy2d = dy.reshape(N, O, -1).transpose(2, 0, 1)  # (places, N, O)
            dcols = dy2d @ w2d  # (places, N, taps)
            dx = np.zeros_like(framed)
            for place, share in zip(places, dcols, strict=True):
                add(dx, window(*place), share.reshape(N, C, KH, KW))
            dw = np.einsum("pno,pnt->ot", dy2d, cols).reshape(w.shape)
            return dx[:, :, padding : padding + H, padding : padding + W], dw, dy.sum(axis=(0, 2, 3))

        return y, backward

    return my_conv2d


def overwrite(dx, place, share):
    dx[place] = share


def accumulate(dx, place, share):
    dx[place] += share


report = tinycnn.grade(with_columns(overwrite))
print(report)
assert report.forward.passed and not report.backward.passed
assert report.backward.causes[0].startswith("dx: windows that overlap overwrite each other")

# %% [markdown]
# Repaired:

# %%
report = tinycnn.grade(with_columns(accumulate))
print(report)
assert report.passed

# %% [markdown]
# ## Exercise
#
# Now your own, forward and backward.  Start with seven loops, then make it fast: no Python loop over places, only over
# the kernel's taps.  (`tinycnn.grade(my_conv2d)` tells more, and how fast it is.)


# %%
# your code
def my_conv2d(x, w, b, stride, padding): ...


print(tinycnn.check.lesson9(my_conv2d))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def my_conv2d(x, w, b, stride, padding):
    (H, W), (KH, KW) = x.shape[2:], w.shape[2:]
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    framed = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    taps = [(u, v) for u in range(KH) for v in range(KW)]

    def met(u, v):  # what tap (u, v) meets while the window slides: one pixel for each place
        return np.s_[:, :, u : u + (OH - 1) * stride + 1 : stride, v : v + (OW - 1) * stride + 1 : stride]

    y = sum(np.einsum("ncij,oc->noij", framed[met(u, v)], w[:, :, u, v]) for u, v in taps) + b[:, None, None]

    def backward(dy):
        dx, dw = np.zeros_like(framed), np.empty_like(w)
        for u, v in taps:
            dx[met(u, v)] += np.einsum("noij,oc->ncij", dy, w[:, :, u, v])
            dw[:, :, u, v] = np.einsum("noij,ncij->oc", dy, framed[met(u, v)])
        return dx[:, :, padding : padding + H, padding : padding + W], dw, dy.sum(axis=(0, 2, 3))

    return y, backward


verdict = tinycnn.check.lesson9(my_conv2d)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: can you come within a factor of two of the engine?  Its convolution is in tinycnn/ops/conv2d.py, with the
# loops above it.
