"""JAX: the whole step compiled, parameters donated; NCHW, as XLA's CPU backend takes either."""

import os

THREADS_FLAG = "--xla_cpu_multi_thread_eigen=true"
os.environ.setdefault("XLA_FLAGS", THREADS_FLAG)

import jax  # noqa: E402  # the flag must be there first
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

from peers import CHANNELS, LEARNING_RATE, cycle, images  # noqa: E402

NAMES = ("JAX jit",)


def parameters(net):
    c1, c2 = CHANNELS[net]
    shapes = [(c1, 1, 5, 5), (c2, c1, 5, 5), (c2 * 25, 120), (120, 84), (84, 10)]
    rng, params = np.random.default_rng(0), []
    for shape in shapes:
        fans = (np.prod(shape[1:]) + shape[0] * np.prod(shape[2:])) if len(shape) == 4 else sum(shape)
        bound = (6 / fans) ** 0.5
        w = rng.uniform(-bound, bound, shape).astype(np.float32)
        params.append((jnp.asarray(w), jnp.zeros(shape[0] if len(shape) == 4 else shape[1], jnp.float32)))
    return params


def forward(params, x, net):
    for i, (w, b) in enumerate(params[:2]):
        x = lax.conv(x, w, (1, 1), "SAME" if i == 0 else "VALID") + b[:, None, None]
        if net == "wide":
            x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        else:
            x = lax.reduce_window(jax.nn.sigmoid(x), 0.0, lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4
    x, act = x.reshape(len(x), -1), jax.nn.relu if net == "wide" else jax.nn.sigmoid
    for i, (w, b) in enumerate(params[2:]):
        x = x @ w + b
        x = act(x) if i < 2 else x
    return x


def make(variant, net, batch, train, threads):
    params, rate = parameters(net), LEARNING_RATE[net]
    following = cycle([(jnp.asarray(x, jnp.float32) / 255, jnp.asarray(y)) for x, y in images(batch)])
    state = {"params": params, "loss": 0.0}

    def loss_of(params, x, y):
        logits = forward(params, x, net)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return -chosen.mean(), (logits.argmax(1) == y).sum()

    @jax.jit
    def update(params, x, y):
        (loss, correct), grads = jax.value_and_grad(loss_of, has_aux=True)(params, x, y)
        return jax.tree.map(lambda p, g: p - rate * g, params, grads), loss, correct

    evaluate = jax.jit(loss_of)

    def train_step():
        state["params"], loss, correct = update(state["params"], *following())
        state["loss"] = float(loss)
        int(correct)

    def infer():
        loss, correct = evaluate(state["params"], *following())
        state["loss"] = float(loss)
        int(correct)

    return (train_step if train else infer), lambda: state["loss"]
