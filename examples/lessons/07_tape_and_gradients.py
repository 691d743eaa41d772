# %% [markdown]
# # 7. The tape, and how to know that a gradient is right
#
# **Question.** `y = x * x` has the slope 2x.  Backward knows the rule for a product, a * b, only: da = b * dy and
# db = a * dy.  Where does the 2 come from?

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn.autograd.gradcheck import GradcheckError, gradcheck
from tinycnn.autograd.tensor import Op

# %% [markdown]
# ## Every operation leaves a note
#
# Computing with a tensor that wants a gradient writes a *tape*: which operation ran, on what, and what it will need
# to know later.  Backward reads it from the end, and hands each input its share.

# %%
x = tinycnn.tensor(3.0, requires_grad=True)
y = x * x
print("y =", y.item(), " made by", y.grad_fn, " from", ["x" if s is x else s for s in y.grad_fn.sources])
y.backward()
print("dy/dx =", x.grad.item())
assert x.grad.item() == 6  # x as the left factor gets 3, x as the right factor gets 3; shares add up

# %% [markdown]
# That is all there is to it: **shares add up**, also when the ways are longer.  Here x goes into a and into b, and
# both into the result: (x + 1) * 2x = 2x^2 + 2x, with slope 4x + 2.

# %%
x = tinycnn.tensor(3.0, requires_grad=True)
a, b = x + 1, x * 2
(a * b).backward()
print("slope of (x + 1) * 2x at 3:", x.grad.item())
assert x.grad.item() == 4 * 3 + 2

# %% [markdown]
# They add up over calls as well.  That is why a training loop forgets the old gradient before each step:

# %%
x = tinycnn.tensor(3.0, requires_grad=True)
(x * x).backward()
(x * x).backward()
print("after two backwards:", x.grad.item(), " after forgetting the first:", end=" ")
assert x.grad.item() == 12
x.grad = None
(x * x).backward()
print(x.grad.item())
assert x.grad.item() == 6

# %% [markdown]
# ## Is it right?  Measure
#
# A slope can be measured without any calculus: move x a little both ways.  The numbers below are for sin(x) at 1,
# where the slope is cos(1).  Too large a step, and the curve bends; too small, and rounding drowns the difference.

# %%
for h in (1e-1, 1e-3, 1e-5, 1e-9, 1e-13):
    measured = (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)
    print(f"h = {h:.0e}: off by {abs(measured - np.cos(1)):.0e}")
best = (np.sin(1 + 1e-5) - np.sin(1 - 1e-5)) / 2e-5
assert abs(best - np.cos(1)) < 1e-9

# %% [markdown]
# ## An operation of your own, with a mistake in it
#
# An `Op` is a forward and, right below it, its backward.  The slope of x^3 is 3x^2.  The author of this one was in
# a hurry:


# %%
class Hurried(Op, name="hurried_cube"):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x=x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        return 3 * ctx.x * dy  # a factor x is missing


x = tinycnn.tensor(np.array([0.5, -1.5, 2.0]), requires_grad=True)  # float64: float32 has too few digits for this
try:
    gradcheck(Hurried.apply, x)
    raise SystemExit("gradcheck has missed the mistake")
except GradcheckError as error:
    print("found:", error)

# %% [markdown]
# `gradcheck` measures every element and names the worst.  It weighs the outputs at random first, so that mistakes
# cannot cancel out: hence its numbers.  Without weights, and by hand:

# %%
x.grad = None
Hurried.apply(x).sum().backward()
h = 1e-5
for at, backward in zip(x.numpy().tolist(), x.grad.numpy().tolist(), strict=True):
    measured = ((at + h) ** 3 - (at - h) ** 3) / (2 * h)
    print(f"at {at:4}: backward says {backward:5.2f}, measured {measured:5.2f}, 3x^2 is {3 * at**2:5.2f}")
    assert abs(measured - 3 * at**2) < 1e-8

# %% [markdown]
# Repaired, it passes:


# %%
class Cube(Op, name="cube"):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x=x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        return 3 * ctx.x * ctx.x * dy


assert gradcheck(Cube.apply, x)
print("repaired: gradcheck passes")

# %% [markdown]
# ## Exercise
#
# Write an operation whose forward is |x|, with its backward.


# %%
# your code
class Absolute(Op, name="absolute"):
    @staticmethod
    def forward(ctx, x): ...

    @staticmethod
    def backward(ctx, dy): ...


print(tinycnn.check.lesson7(Absolute))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
class Absolute(Op, name="absolute"):
    @staticmethod
    def forward(ctx, x):
        ctx.save(sign=np.sign(x))
        return np.abs(x)

    @staticmethod
    def backward(ctx, dy):
        return ctx.sign * dy


assert gradcheck(Absolute.apply, x)
verdict = tinycnn.check.lesson7(Absolute)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: what does gradcheck say of it at 0, and who is right?
