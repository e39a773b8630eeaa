"""A client with Python's websockets: it tells what it gets, as lines of JSON."""

import asyncio
import json
import sys

import websockets


async def main():
    url = sys.argv[1]
    async with websockets.connect(url, subprotocols=["other", "chat"], max_size=None) as socket:
        extensions = [type(it).__name__ for it in socket.extensions]
        print(json.dumps({"protocol": socket.subprotocol, "extensions": extensions}), flush=True)
        for message in ["", "hello", "Grüße, 世界 🌍", "x" * 70000, b"", b"\0\1\2", bytes(1000000)]:
            await socket.send(message)
            echoed = await socket.recv()
            assert echoed == message, (message[:10], echoed[:10])
        # A message in three fragments.
        await socket.send(["a", "b", "c"])
        assert await socket.recv() == "abc"
        await (await socket.ping())
        await socket.close(4321, "done here")
        print(json.dumps({"code": socket.close_code, "reason": socket.close_reason}), flush=True)
    async with websockets.connect(url) as socket:
        await socket.send("close")
        try:
            await socket.recv()
        except websockets.ConnectionClosed:
            pass
        print(json.dumps({"code": socket.close_code, "reason": socket.close_reason}), flush=True)


asyncio.run(main())
