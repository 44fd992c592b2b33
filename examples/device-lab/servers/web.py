"""Serves the folder www by HTTP on a free port of loopback."""

import functools
import http.server
import os

from shared import serve

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "www")
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
serve(http.server.ThreadingHTTPServer((os.environ["host"], 0), handler))
