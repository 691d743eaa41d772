"""PyTorch: eager; compiled in the mode made for small steps; captured by hand, eager or compiled; and the chapter's
loop as it stands."""

from gpu_peers import CHANNELS, LEARNING_RATE, Stopwatch, count_kernels, orders, resident

DEVICE = "cuda"
NAMES = (
    "PyTorch eager",
    "PyTorch compile",
    "PyTorch CUDA graph",
    "PyTorch compile, CUDA graph",
    "PyTorch chapter loop",
)
TOGETHER = 16  # steps in one captured graph, as many as tinycnn takes


def make(variant, net, batch, tf32):
    kinds = dict(zip(NAMES, (Eager, Compiled, Captured, CompiledAndCaptured, Chapter), strict=True))
    return kinds[variant](net, batch, tf32)


class Eager:
    update = {"fused": True}

    def __init__(self, net, batch, tf32):
        watch = Stopwatch()
        with watch("import"):
            import torch
        self.torch, self.batch, self.done = torch, batch, 0
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True  # lets cuDNN try its algorithms for these shapes
        with watch("context"):
            self.images, self.labels = (torch.from_numpy(a).to(DEVICE) for a in resident())
            torch.cuda.synchronize()
        self.model = network(torch, net).to(DEVICE)
        self.orders = [torch.from_numpy(order).to(DEVICE) for order in orders(batch)]
        self.optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE[net], **self.update)
        self.criterion = torch.nn.CrossEntropyLoss()
        self.total = torch.zeros((), device=DEVICE)  # of the losses since run() began
        with watch("compile"):
            self.prepare()
            torch.cuda.synchronize()
        self.setup = watch.times

    def prepare(self):
        for chosen in self.orders[0][:3]:
            self.step(chosen)

    def forward(self, chosen):
        x = self.images[chosen].float() / 255
        return self.criterion(self.model(x), self.labels[chosen])

    def step(self, chosen):
        self.optimizer.zero_grad()
        loss = self.forward(chosen)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()

    def run(self, epochs):
        self.total.zero_()
        self.steps = 0
        for _ in range(epochs):
            order = self.orders[self.done % len(self.orders)]
            self.epoch(order)
            self.done += 1
            self.steps += len(order)

    def epoch(self, order):
        for chosen in order:
            self.step(chosen)

    def seconds(self, epochs):
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        self.run(epochs)
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3

    def loss(self):
        return self.total.item() / self.steps

    def kernels(self):
        return count_kernels(self)

    def in_a_row(self):
        return None


class Compiled(Eager):
    """torch.compile(mode="reduce-overhead"), which puts forward and backward into CUDA graphs; the update as well."""

    update = {"foreach": True}  # the form that can be compiled

    def prepare(self):
        for array in (self.images, self.labels):  # or they would be copied at every call, all 47 MB
            self.torch._dynamo.mark_static_address(array)
        self.forward = self.torch.compile(super().forward, mode="reduce-overhead")
        self.compiled_update = self.torch.compile(self.optimizer.step, mode="reduce-overhead")
        super().prepare()

    def step(self, chosen):
        self.torch.compiler.cudagraph_mark_step_begin()
        self.optimizer.zero_grad()
        loss = self.forward(chosen)
        loss.backward()
        self.compiled_update()
        self.total += loss.detach()


class Captured(Eager):
    """Whole steps in CUDA graphs: gather, forward, backward, update; only the indices of 16 batches are copied in."""

    def prepare(self):
        self.chosen, self.graphs = self.orders[0][:TOGETHER].clone(), {}
        side = self.torch.cuda.Stream()
        side.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(side):
            super().prepare()
        self.torch.cuda.current_stream().wait_stream(side)
        for count in {min(TOGETHER, len(self.orders[0])), len(self.orders[0]) % TOGETHER} - {0}:
            self.graphs[count] = self.torch.cuda.CUDAGraph()
            with self.torch.cuda.graph(self.graphs[count]):
                for k in range(count):
                    self.step(self.chosen[k])

    def epoch(self, order):
        for start in range(0, len(order), TOGETHER):
            part = order[start : start + TOGETHER]
            self.chosen[: len(part)].copy_(part)
            self.graphs[len(part)].replay()


class CompiledAndCaptured(Captured):
    """The same with torch.compile's kernels, which fuse what the eager ones do one by one."""

    def prepare(self):
        self.forward = self.torch.compile(self.forward, dynamic=False)
        super().prepare()


class Chapter(Eager):
    """The loop of the LeNet chapter: a DataLoader with four workers, and metrics read after every step."""

    def prepare(self):
        torch, (images, labels) = self.torch, resident()

        class Clothes(torch.utils.data.Dataset):
            def __len__(self):
                return len(images)

            def __getitem__(self, i):
                return torch.from_numpy(images[i]).float() / 255, int(labels[i])

        self.loader = torch.utils.data.DataLoader(Clothes(), self.batch, shuffle=True, num_workers=4)
        self.correct = 0.0
        super().prepare()

    def epoch(self, order):
        for x, y in self.loader:
            x, y = x.to(DEVICE), y.to(DEVICE)
            self.optimizer.zero_grad()
            logits = self.model(x)
            loss = self.criterion(logits, y)
            loss.backward()
            self.optimizer.step()
            with self.torch.no_grad():
                self.total += float(loss)  # as the chapter's metrics, these wait for the GPU
                self.correct += float((logits.argmax(1) == y).sum())


def network(torch, net):
    nn, (c1, c2) = torch.nn, CHANNELS[net]
    act, pool = (nn.ReLU, nn.MaxPool2d) if net == "wide" else (nn.Sigmoid, nn.AvgPool2d)
    model = nn.Sequential(
        *(nn.Conv2d(1, c1, 5, padding=2), act(), pool(2), nn.Conv2d(c1, c2, 5), act(), pool(2), nn.Flatten()),
        *(nn.Linear(c2 * 25, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10)),
    )
    for module in model:
        if hasattr(module, "weight"):
            nn.init.xavier_uniform_(module.weight)
    return model
