"""Shows how the model does on flowers that it has not seen, and writes confusion.csv."""

import csv

from model import Model, read

model = Model.load("model.json")
flowers, labels = read("test.csv")
counts = {kind: dict.fromkeys(model.kinds, 0) for kind in model.kinds}
for flower, label in zip(flowers, labels):
    counts[label][model.kind(flower)] += 1

with open("confusion.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["kind"] + model.kinds)
    writer.writerows([kind] + [counts[kind][other] for other in model.kinds] for kind in model.kinds)

width = max(map(len, model.kinds)) + 2
print("is \\ taken for".ljust(width + 4) + "".join(kind.rjust(width) for kind in model.kinds))
for kind in model.kinds:
    print(kind.ljust(width + 4) + "".join(str(counts[kind][other]).rjust(width) for other in model.kinds))

right = sum(counts[kind][kind] for kind in model.kinds)
print("test_accuracy: %.6f" % (right / len(labels)))
