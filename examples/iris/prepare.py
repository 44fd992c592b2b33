"""Splits the flowers into those to learn from and those to be tested with, as many of each kind in both shares."""

import csv
import random

# What the operation may change.
test_share = 0.3
seed = 1

with open("iris.csv", newline="") as file:
    rows = csv.reader(file)
    # 150,4,setosa,versicolor,virginica
    count, measures, *kinds = next(rows)
    flowers = [[float(cell) for cell in row[:-1]] + [kinds[int(row[-1])]] for row in rows]

assert len(flowers) == int(count) and all(len(flower) == int(measures) + 1 for flower in flowers)

dice = random.Random(seed)
train, test = [], []
for kind in kinds:
    those = [flower for flower in flowers if flower[-1] == kind]
    dice.shuffle(those)
    cut = round(len(those) * test_share)
    test += those[:cut]
    train += those[cut:]

for name, share in (("train.csv", train), ("test.csv", test)):
    with open(name, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sepal_length", "sepal_width", "petal_length", "petal_width", "kind"])
        writer.writerows(share)

print("train_rows: %d" % len(train))
print("test_rows: %d" % len(test))
