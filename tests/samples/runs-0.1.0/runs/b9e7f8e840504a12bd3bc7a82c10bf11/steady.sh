#!/bin/sh
echo steady
