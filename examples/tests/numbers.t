#!/bin/sh
# A program whose output is read as TAP, the Test Anything Protocol, because of its name.
last=${1:-3}
echo "1..$last"
number=1
while [ "$number" -le "$last" ]; do
    if [ $((number * 2 - number)) -eq "$number" ]; then echo "ok $number"; else echo "not ok $number"; fi
    number=$((number + 1))
done
