"""The shared objects of a run, for Python: JSON objects, one a line, over the socket that RILLE_SYNCHRO names."""

import json
import os
import socket


class Shared:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["RILLE_SYNCHRO"])
        self.lines = self.socket.makefile("rw")
        self.call(op="hello", task=int(os.environ["RILLE_TASK_NUMBER"]), attempt=int(os.environ["RILLE_ATTEMPT"]))

    def call(self, **request):
        self.lines.write(json.dumps(request) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer.get("ok")


def serve(server):
    """Serves until the job says stop: tells the port to everybody who shares the dict `lab`, and that it is ready."""
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    shared = Shared()
    shared.call(op="set", object=os.environ["lab"], key=os.environ["device"], value=server.server_address[1])
    shared.call(op="set", object=os.environ["ready"])
    print(f"{os.environ['device']} serves on port {server.server_address[1]}", flush=True)
    shared.call(op="wait", object=os.environ["stop"])
    server.shutdown()
