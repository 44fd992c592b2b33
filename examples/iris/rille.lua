-- Fisher's iris: split the flowers, train a model, and see how it does. guild.yml has the same for Guild AI.
local op = require "rille.op"

op.define("prepare", {
  description = "Split the flowers into those to learn from and those to be tested with",
  main = "prepare.py",
  flags = {
    test_share = {
      description = "How much of the flowers is for the test",
      type = "float", default = 0.3, min = 0.1, max = 0.9,
    },
    seed = { description = "Which flowers those are", type = "int", default = 1 },
  },
  requires = { { file = "iris.csv" } },
})

op.define("train", {
  description = "Train the model",
  main = "train.py",
  flags = {
    lr = { description = "Learning rate", type = "float", default = 0.5, min = 0 },
    epochs = { description = "Times that all flowers are looked at", type = "int", default = 200, min = 1 },
    l2 = { description = "How much large weights cost", type = "float", default = 0.001, min = 0 },
  },
  requires = { { operation = "prepare", select = "train.csv" } },
  objective = { maximize = "accuracy" },
  compare = { "=lr", "=epochs", "=l2", "loss", "accuracy" },
})

op.define("evaluate", {
  description = "Show how the model does on flowers that it has not seen",
  main = "evaluate.py",
  requires = {
    { operation = "train", select = "model.json" },
    { operation = "prepare", select = "test.csv" },
  },
  compare = { "test_accuracy" },
})

op.define("study", {
  description = "Train with several learning rates, and evaluate each model",
  flags = { epochs = { description = "As those of train", type = "int", default = 200 } },
  steps = {
    { run = "prepare", flags = { test_share = 0.3 } },
    { run = "train", flags = { lr = { 0.1, 0.5, 1 }, epochs = "${epochs}" } },
    { run = "evaluate", for_each = "train" },
  },
})
