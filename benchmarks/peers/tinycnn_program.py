"""Ten epochs of the chapter's LeNet with tinycnn."""

from peers.whole_program import report_memory
from tinycnn import data, nn, optim
from tinycnn.execution import make_step
from tinycnn.models import LeNet

train, test = data.load("auto", notice=lambda text: None)
model = LeNet()
with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.9)) as step:
    batches, rest = data.Batches(train.images, train.labels, 256), data.Batches(test.images, test.labels, 256, False)
    for _ in range(10):
        loss = sum(step(x, y)[0] for x, y in batches) / len(train)
        accuracy = sum(step.evaluate(x, y)[1] for x, y in rest) / len(test)
    workers = getattr(step, "workers", 1) if step.strategy == "processes" else 1
print(f"loss {loss:.3f}, test acc {accuracy:.3f}")
report_memory(workers)
