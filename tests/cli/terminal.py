"""Runs a command in a pseudo-terminal. Types its own input there, prints the command's output, returns its exit code."""

import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
inputs = [0, terminal]
while True:
    ready, _, _ = select.select(inputs, [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if data:
            os.write(terminal, data)
        else:
            inputs = [terminal]
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
