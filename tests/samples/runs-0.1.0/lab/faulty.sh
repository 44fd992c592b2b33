#!/bin/sh
echo faulty >&2
exit 3
