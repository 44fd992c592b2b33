"""Sends back what it gets, on a free port of loopback. A faulty one forgets what is beyond the first KiB of a packet."""

import os
import socketserver

from shared import serve

faulty = os.environ["faulty"] == "true"


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        packet = bytearray()
        while piece := self.request.recv(65536):
            packet += piece
        self.request.sendall(packet[:1024] if faulty else packet)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


serve(Server((os.environ["host"], 0), Echo))
