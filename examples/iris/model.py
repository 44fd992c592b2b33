"""A multinomial logistic regression: a weight for each kind and measure, and the exponential of the sums as odds."""

import csv
import json
import math


def read(path):
    """Returns the measures of all flowers of a file, and their kinds."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [[float(cell) for cell in row[:-1]] for row in rows], [row[-1] for row in rows]


class Model:
    def __init__(self, kinds, means, spreads, weights):
        self.kinds, self.means, self.spreads, self.weights = kinds, means, spreads, weights

    @classmethod
    def untrained(cls, flowers, labels):
        """Returns a model that knows how the measures lie, and nothing else."""
        columns = list(zip(*flowers))
        means = [sum(column) / len(column) for column in columns]
        spreads = [
            math.sqrt(sum((value - mean) ** 2 for value in column) / len(column)) or 1.0
            for column, mean in zip(columns, means)
        ]
        kinds = sorted(set(labels))
        return cls(kinds, means, spreads, [[0.0] * (len(columns) + 1) for _ in kinds])

    def scaled(self, flower):
        return [(value - mean) / spread for value, mean, spread in zip(flower, self.means, self.spreads)] + [1.0]

    def odds(self, scaled):
        """Returns how likely each kind is, for measures that are scaled."""
        sums = [sum(weight * value for weight, value in zip(weights, scaled)) for weights in self.weights]
        most = max(sums)
        powers = [math.exp(value - most) for value in sums]
        return [power / sum(powers) for power in powers]

    def kind(self, flower):
        odds = self.odds(self.scaled(flower))
        return self.kinds[odds.index(max(odds))]

    def save(self, path):
        with open(path, "w") as file:
            json.dump(vars(self), file, indent=1)
            file.write("\n")

    @classmethod
    def load(cls, path):
        with open(path) as file:
            return cls(**json.load(file))
