"""Opens a socket, runs two server processes on it, and replaces them when it reads "roll".

Usage: rolling.py fd|port COMMAND...   The command gets the port as its last argument, or the socket as descriptor 3.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys

way, command = sys.argv[1], sys.argv[2:]
listener = socket.socket()
if way == "port":
    # This socket only keeps the port for the processes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", 0))
if way == "fd":
    listener.listen(4096)
port = listener.getsockname()[1]


def descriptor():
    if sys.platform == "linux":
        # PR_SET_PDEATHSIG: the child ends when this process ends, for any reason.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if way == "fd":
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)


def start():
    process = subprocess.Popen(
        command + [str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        close_fds=way != "fd",
        preexec_fn=descriptor,
    )
    for line in process.stdout:
        if line.startswith("listening"):
            return process
        print(line, end="", flush=True)
    raise SystemExit(f"A server ended with {process.wait()}")


def stop(process):
    process.send_signal(signal.SIGTERM)
    for line in process.stdout:
        print(line, end="", flush=True)
    process.wait()


processes = [start(), start()]
print(f"listening at ws://127.0.0.1:{port}", flush=True)
for line in sys.stdin:
    line = line.strip()
    old, processes = processes, []
    for process in old:
        if line.startswith("roll"):
            processes.append(start())
        stop(process)
    print(f"done {line}", flush=True)
    if line == "stop":
        break
