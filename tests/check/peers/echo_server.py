"""An echo server with Python's websockets. It prints its port."""

import asyncio
import json

import websockets


async def echo(socket, *_):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    server = await websockets.serve(echo, "127.0.0.1", 0, max_size=2**26, ping_interval=None)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Future()


asyncio.run(main())
