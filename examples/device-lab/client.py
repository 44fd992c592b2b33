"""What Lua lacks: a TCP connection. `client.py get HOST PORT PATH` and `client.py echo HOST PORT SIZE`."""

import http.client
import socket
import sys

what, host, port, argument = sys.argv[1:]
if what == "get":
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", argument)
    response = connection.getresponse()
    print(response.status)
    print(response.read().decode(errors="replace"), end="")
else:
    packet = bytes(n % 251 for n in range(int(argument)))
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(packet)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    print(len(answer))
    print("same" if answer == packet else "different")
