#!/bin/sh
echo "loss: 0.5 (step 1)"
echo "loss: 0.25 (step 2)"
echo "$FLAG_NAME" > model.txt
