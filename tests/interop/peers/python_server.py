"""An echo server with Python's websockets. The text "close" makes it close: 3001 "you asked me to"."""

import asyncio
import json

import websockets


async def serve(socket, *_):
    try:
        async for message in socket:
            if message == "close":
                await socket.close(3001, "you asked me to")
            else:
                await socket.send(message)
    except websockets.ConnectionClosed:
        pass
    print(json.dumps({"code": socket.close_code, "reason": socket.close_reason}), flush=True)


async def main():
    server = await websockets.serve(
        serve, "127.0.0.1", 0, max_size=None, subprotocols=["chat"], ping_interval=None
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.Future()


asyncio.run(main())
