"""JAX: jit over lax.scan, so that an epoch is one launch for the host; and the same with XLA's loops in command
buffers, its name for CUDA graphs.  It shows no events: the host's clock is read, with the GPU idle at both ends."""

import os
import time

from gpu_peers import CHANNELS, LEARNING_RATE, Stopwatch, count_kernels, orders, resident

NAMES = ("JAX scan", "JAX scan, command buffers")
UNROLLED = 8  # steps of the scan in one turn of XLA's loop

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the others need memory as well


def make(variant, net, batch, tf32):
    if variant == "JAX scan, command buffers":  # read when JAX is imported
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_enable_command_buffer=+WHILE"
    return Scan(net, batch, tf32)


class Scan:
    def __init__(self, net, batch, tf32):
        watch = Stopwatch()
        with watch("import"):
            import jax
            import jax.numpy as jnp
        self.jax, self.jnp, self.batch, self.done = jax, jnp, batch, 0
        precision = "tensorfloat32" if tf32 else "highest"
        with watch("context"):
            images, labels = map(jnp.asarray, resident())
            jax.block_until_ready(images)
        rate = LEARNING_RATE[net]

        def loss_of(params, chosen, images, labels):
            with jax.default_matmul_precision(precision):
                logits = forward(jax, params, images[chosen].astype(jnp.float32) / 255, net)
            right = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[chosen][:, None], 1)
            return -right.mean()

        def epoch(params, order, images, labels):  # the data are arguments: constants would be compiled in
            def step(params, chosen):
                loss, grads = jax.value_and_grad(loss_of)(params, chosen, images, labels)
                return jax.tree.map(lambda p, g: p - rate * g, params, grads), loss

            return jax.lax.scan(step, params, order, unroll=UNROLLED)

        self.scan, self.data = jax.jit(epoch, donate_argnums=0), (images, labels)
        self.params, self.losses = parameters(jnp, net), []
        self.orders = [jnp.asarray(order) for order in orders(batch)]
        with watch("compile"):
            self.run(1)
            jax.block_until_ready(self.params)
        self.setup = watch.times

    def run(self, epochs):
        self.losses = []
        for _ in range(epochs):
            self.params, losses = self.scan(self.params, self.orders[self.done % len(self.orders)], *self.data)
            self.losses.append(losses)
            self.done += 1

    def seconds(self, epochs):
        self.jax.block_until_ready(self.params)
        start = time.perf_counter()
        self.run(epochs)
        self.jax.block_until_ready(self.params)
        return time.perf_counter() - start

    def loss(self):
        return float(self.jnp.concatenate(self.losses).mean())

    def kernels(self):
        return count_kernels(self)

    def in_a_row(self):
        return None


def parameters(jnp, net):
    import numpy as np

    c1, c2 = CHANNELS[net]
    rng, params = np.random.default_rng(0), []
    for shape in [(c1, 1, 5, 5), (c2, c1, 5, 5), (c2 * 25, 120), (120, 84), (84, 10)]:
        fans = (shape[0] + shape[1]) * 25 if len(shape) == 4 else sum(shape)
        w = rng.uniform(-((6 / fans) ** 0.5), (6 / fans) ** 0.5, shape).astype(np.float32)
        params.append((jnp.asarray(w), jnp.zeros(shape[0] if len(shape) == 4 else shape[1], jnp.float32)))
    return params


def forward(jax, params, x, net):
    """Logits of images (N, 1, 28, 28)."""
    act = jax.nn.relu if net == "wide" else jax.nn.sigmoid
    window, lax = (1, 1, 2, 2), jax.lax
    for i, (w, b) in enumerate(params[:2]):
        x = act(lax.conv(x, w, (1, 1), "SAME" if i == 0 else "VALID") + b[:, None, None])
        if net == "wide":
            x = lax.reduce_window(x, -float("inf"), lax.max, window, window, "VALID")
        else:
            x = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / 4
    x = x.reshape(len(x), -1)
    for i, (w, b) in enumerate(params[2:]):
        x = x @ w + b if i == 2 else act(x @ w + b)
    return x
