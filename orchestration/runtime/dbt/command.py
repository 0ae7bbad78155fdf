"""`python -IS command.py SOCKET build ...`: dbt's command line, for who starts it; dbt runs in a process that the server behind SOCKET forks.

It stands for that process: it has its exit code or its signal, hands on an interrupt, and where one of the two is killed the other ends too. It
imports nothing but a few modules of the standard library, and so starts in hundredths of a second.
"""

import json
import os
import signal
import socket
import sys


def main(address: str, arguments: list[str]) -> int:
    """Hand over arguments, environment, folder and both outputs, and return dbt's exit code once it has ended."""
    request = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()  # noqa: PTH109 - pathlib loads slowly
    process, ended = 0, ""
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(address)
            socket.send_fds(server, [len(request).to_bytes(8, "big")], [1, 2])
            server.sendall(request)
            answers = server.makefile("r", encoding="ascii")
            process = int(answers.readline() or 0)
            if process:
                signal.signal(signal.SIGINT, lambda *_: os.kill(process, signal.SIGINT))
                ended = answers.readline()
    except ConnectionError:
        ended = ""
    if not ended:
        # The server was killed, and nobody will tell how its process ends.
        for killed in (process, os.getpid()):
            if killed:
                os.kill(killed, signal.SIGKILL)
    code = int(ended)
    if code < 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
