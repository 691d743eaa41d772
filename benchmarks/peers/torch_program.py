"""Ten epochs of the chapter's LeNet with PyTorch, the data in memory and gathered by index: no DataLoader."""

import sys

import torch
from torch import nn

from peers.torch_peer import network
from peers.whole_program import report_memory
from tinycnn import data

how = sys.argv[1] if len(sys.argv) > 1 else "eager"
layout = torch.channels_last if how == "channels_last" else torch.contiguous_format
train, test = data.load("auto", notice=lambda text: None)
x, y = torch.from_numpy(train.images), torch.from_numpy(train.labels)
xt, yt = torch.from_numpy(test.images), torch.from_numpy(test.labels)
model = network("lenet").to(memory_format=layout)
for module in model:
    if hasattr(module, "weight"):
        nn.init.xavier_uniform_(module.weight)
run = torch.compile(model) if how == "compile" else model
optimizer, criterion = torch.optim.SGD(model.parameters(), 0.9), nn.CrossEntropyLoss()


def prepared(images: torch.Tensor) -> torch.Tensor:
    return (images.float() / 255).to(memory_format=layout)


for _ in range(10):
    summed, right = 0.0, 0
    for chosen in torch.randperm(len(x)).split(256):
        optimizer.zero_grad()
        logits = run(prepared(x[chosen]))
        loss = criterion(logits, y[chosen])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            summed += loss.item() * len(chosen)
            right += (logits.argmax(1) == y[chosen]).sum().item()
    with torch.no_grad():
        correct = sum(
            (run(prepared(a)).argmax(1) == b).sum().item() for a, b in zip(xt.split(256), yt.split(256), strict=True)
        )
print(f"loss {summed / len(x):.3f}, test acc {correct / len(xt):.3f}")
report_memory()
