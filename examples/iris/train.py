"""Trains the model on train.csv by gradient descent, and writes model.json."""

import math

from model import Model, read

# What the operation may change.
lr = 0.5
epochs = 200
l2 = 0.001

flowers, labels = read("train.csv")
model = Model.untrained(flowers, labels)
scaled = [model.scaled(flower) for flower in flowers]
targets = [model.kinds.index(label) for label in labels]


def epoch():
    """Takes one step down. Returns the loss and the accuracy before it."""
    loss, right = 0.0, 0
    gradients = [[0.0] * len(scaled[0]) for _ in model.kinds]
    for values, target in zip(scaled, targets):
        odds = model.odds(values)
        loss -= math.log(max(odds[target], 1e-300))
        right += odds.index(max(odds)) == target
        for kind, gradient in enumerate(gradients):
            error = odds[kind] - (kind == target)
            for at, value in enumerate(values):
                gradient[at] += error * value
    for weights, gradient in zip(model.weights, gradients):
        for at in range(len(weights)):
            # The last weight is the same for every flower, and free.
            decay = l2 * weights[at] if at < len(weights) - 1 else 0.0
            weights[at] -= lr * (gradient[at] / len(scaled) + decay)
    return loss / len(scaled), right / len(scaled)


for step in range(epochs + 1):
    loss, accuracy = epoch()
    if step % 20 == 0 or step == epochs:
        print("loss: %.6f (step %d)" % (loss, step))
        print("accuracy: %.6f (step %d)" % (accuracy, step))

model.save("model.json")
