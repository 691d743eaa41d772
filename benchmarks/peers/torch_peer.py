"""PyTorch: eager, with channels_last memory, and compiled."""

import torch
from torch import nn

from peers import CHANNELS, LEARNING_RATE, cycle, images

NAMES = ("PyTorch eager", "PyTorch channels_last", "PyTorch compile")


def network(net):
    c1, c2 = CHANNELS[net]
    act, pool = (nn.ReLU, nn.MaxPool2d) if net == "wide" else (nn.Sigmoid, nn.AvgPool2d)
    return nn.Sequential(
        *(nn.Conv2d(1, c1, 5, padding=2), act(), pool(2), nn.Conv2d(c1, c2, 5), act(), pool(2), nn.Flatten()),
        *(nn.Linear(c2 * 25, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10)),
    )


def make(variant, net, batch, train, threads):
    torch.set_num_threads(threads)
    model = network(net)
    for module in model:
        if hasattr(module, "weight"):
            nn.init.xavier_uniform_(module.weight)
    layout = torch.channels_last if variant == "PyTorch channels_last" else torch.contiguous_format
    model = model.to(memory_format=layout)
    ours = [(torch.from_numpy(x) / 255, torch.from_numpy(y)) for x, y in images(batch)]
    following = cycle([(x.to(memory_format=layout), y) for x, y in ours])
    run = torch.compile(model) if variant == "PyTorch compile" else model
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE[net])
    criterion, last = nn.CrossEntropyLoss(), [0.0]

    def train_step():
        x, y = following()
        optimizer.zero_grad()
        logits = run(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            last[0] = loss.item()
            (logits.argmax(1) == y).sum().item()

    @torch.no_grad()
    def infer():
        x, y = following()
        logits = run(x)
        last[0] = criterion(logits, y).item()
        (logits.argmax(1) == y).sum().item()

    model.train(train)
    return (train_step if train else infer), lambda: last[0]
