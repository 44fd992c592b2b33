#!/usr/bin/env python3
"""A runner that does what its parameter `code` says."""
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time

if sys.argv[1] == "capabilities":
    kinds = {"runnables": ["foo"], "commands": ["task-run"], "configuration_used": ["foo.used"]}
    print(json.dumps({**kinds, "status_token": True}))
    sys.exit(int(os.environ.get("CAPABILITIES_EXIT", "0")))

words, ARGS, KWARGS, OPTIONS = sys.argv[2:], [], {}, {}
while words:
    word = words.pop(0)
    if word == "-a":
        arg = words.pop(0)
        ARGS.append(base64.b64decode(arg[7:]).decode() if arg.startswith("base64:") else arg)
    elif word.startswith("-"):
        OPTIONS[word] = words.pop(0)
    else:
        key, value = word.split("=", 1)
        KWARGS[key] = json.loads(value[5:]) if value.startswith("json:") else value
ID, JOB, URI, OUT = OPTIONS["-i"], OPTIONS["-j"], OPTIONS["-s"], KWARGS["output_dir"]


def connect():
    if ":" in URI:
        host, port = URI.rsplit(":", 1)
        new = socket.create_connection((host.strip("[]"), int(port)))
        token = os.environ.get("RILLE_STATUS_TOKEN")
        if token:
            new.sendall(json.dumps({"token": token}).encode() + b"\n")
        return new
    new = socket.socket(socket.AF_UNIX)
    new.connect(URI)
    return new


line = connect()


def raw(data, to=None):
    (to or line).sendall(data)


def message(**keys):
    for key, value in keys.items():
        if isinstance(value, bytes):
            keys[key] = {"__base64_encoded__": base64.b64encode(value).decode()}
    return json.dumps({"time": time.monotonic(), "id": ID, "job_id": JOB, **keys}).encode() + b"\n"


def say(to=None, **keys):
    raw(message(**keys), to)


def started():
    say(status="started", output_dir=OUT)


def running(what, log, **keys):
    say(status="running", type=what, log=log, **keys)


def finished(result="pass", **keys):
    say(status="finished", result=result, **keys)


exec(KWARGS["code"])
