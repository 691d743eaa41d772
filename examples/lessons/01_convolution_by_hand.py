# %% [markdown]
# # 1. A convolution by hand, and edges
#
# **Question.** A small grid of numbers, the *kernel*, slides over an image.  At each place we multiply what lies on
# top of each other and add it all up.  Why would anybody do that to a picture?
#
# To be touched rather than computed: the tab Slide of the page that `python -m tinycnn.explain --open` writes.

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import functional as F
from tinycnn.data import Silhouettes
from tinycnn.explain import figures

# %% [markdown]
# ## Four sums you can do in your head
#
# The image has 3x3 pixels and the kernel 2x2, so the kernel fits in four places:
#
#     image     kernel     top left:      0*0 + 1*1 + 3*2 + 4*3 = 19
#     0 1 2     0 1        top right:     1*0 + 2*1 + 4*2 + 5*3 = 25
#     3 4 5     2 3        bottom left:   3*0 + 4*1 + 6*2 + 7*3 = 37
#     6 7 8                bottom right:  4*0 + 5*1 + 7*2 + 8*3 = 43

# %%
image = np.arange(9.0).reshape(3, 3)
kernel = np.array([[0.0, 1.0], [2.0, 3.0]])


def slide(image, kernel):
    """The definition: multiply the window by the kernel, add up, move on."""
    KH, KW = kernel.shape
    OH, OW = image.shape[0] - KH + 1, image.shape[1] - KW + 1  # how many places there are
    y = np.zeros((OH, OW))
    for i in range(OH):
        for j in range(OW):
            y[i, j] = (image[i : i + KH, j : j + KW] * kernel).sum()
    return y


by_hand = slide(image, kernel)
print("by hand:", by_hand.tolist())
assert by_hand.tolist() == [[19, 25], [37, 43]]

# %% [markdown]
# The engine works on many images with many channels at once, so its arrays have four axes: (images, channels, height,
# width).  A channel is one grid of numbers: a grey image has one, a coloured one has three.  Ours is one image with one
# channel.


# %%
def conv(image, kernel):
    """The same by the engine, for one image (H, W) and one kernel (KH, KW)."""
    x, w = tinycnn.tensor(image[None, None]), tinycnn.tensor(kernel[None, None])
    return F.conv2d(x, w).numpy()[0, 0]


engine = conv(image, kernel)
print("engine: ", engine.tolist())
assert np.array_equal(engine, by_hand)

# %% [markdown]
# ## What it is good for
#
# Take the kernel `-1 +1`.  On two equal pixels it gives 0; where the image becomes brighter towards the right it
# gives something positive, where it becomes darker something negative.  It is blind to everything but vertical
# edges.

# %%
row = np.array([[0.0, 0, 0, 7, 7, 7, 2, 2]])
edges = conv(row, np.array([[-1.0, 1.0]]))
print("row:  ", row[0].astype(int).tolist())
print("edges:", edges[0].astype(int).tolist(), "<- +7 where the step up is, -5 where the step down is")
assert edges[0].tolist() == [0, 0, 7, 0, 0, -5, 0]

# %% [markdown]
# The kernel is the same at every place: two numbers serve the whole row, however long it is.  They are *shared*.  So an
# edge is found wherever it stands, and a convolution needs few numbers.
#
# The same idea with a little smoothing is Sobel's kernel from 1968.  On a garment it draws the outline:

# %%
garment = Silhouettes(train=False, size=20).images[7, 0] / 255.0
sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
upright, level = conv(garment, sobel), conv(garment, sobel.T)
if figures.can_draw():
    figure = figures.pictures(
        [garment, upright, level, np.hypot(upright, level)],
        ["image", "upright edges", "level edges", "both: their length"],
        columns=4,
    )
    print("wrote", figures.save(figure, "01_edges.png"))

flat = np.full((5, 5), 0.6)
print("on a flat image:", np.abs(conv(flat, sobel)).max().round(12), "<- no edge, no answer")
assert np.allclose(conv(flat, sobel), 0)

# %% [markdown]
# ## A name that misleads
#
# In mathematics a *convolution* turns the kernel by 180 degrees before it slides.  What we did, and what every deep
# learning library does, is called cross-correlation there.  Since networks learn their kernels, they would simply
# learn the turned one; but with a kernel chosen by hand the difference is real:

# %%
turned = conv(image, kernel[::-1, ::-1])
print("as mathematicians convolve:", turned.tolist())
assert turned.tolist() == [[5, 11], [23, 29]]  # 0*3 + 1*2 + 3*1 + 4*0 = 5, and so on

# %% [markdown]
# ## Exercise
#
# Cells that begin with `# your code` are yours: put something of your own in place of the three dots.  The check says
# whether it is right, and if it is not, what to look at again.  An answer follows each of them.
#
# First by hand.  What are the four sums?
#
#     image     kernel
#     1 0 2     1  2
#     3 1 0     0 -1
#     0 2 4

# %%
# your code
sums = ...  # [[top left, top right], [bottom left, bottom right]]
print(tinycnn.check.lesson1_by_hand(sums))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
sums = [[0, 4], [3, -3]]  # 1*1 + 0*2 + 3*0 - 1*1 = 0, and so on
verdict = tinycnn.check.lesson1_by_hand(sums)
print(verdict)
assert verdict.passed

# %% [markdown]
# Then find a 2x2 kernel that answers 0 on `flat`, on `row` repeated downwards *and* on its transpose, but not on a
# checkerboard of zeros and ones.  (What is left when you take the difference of differences?)

# %%
# your code
kernel = ...  # [[top left, top right], [bottom left, bottom right]]
print(tinycnn.check.lesson1(kernel))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
kernel = np.array([[1.0, -1], [-1, 1]])  # right less left in the row below, less the same in the row above
verdict = tinycnn.check.lesson1(kernel)
print(verdict)
assert verdict.passed
