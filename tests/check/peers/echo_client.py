"""An echo client with Python's websockets. It asks for the list of cases, and takes eight at a time."""

import asyncio
import json
import sys

import websockets

URL = sys.argv[1]


async def run(case):
    try:
        async with websockets.connect(
            URL + case["path"],
            subprotocols=case["protocols"] or None,
            max_size=2**26,
            ping_interval=None,
            close_timeout=2,
        ) as socket:
            async for message in socket:
                await socket.send(message)
    except Exception:
        pass


async def work(cases):
    while cases:
        await run(cases.pop(0))


async def main():
    async with websockets.connect(URL + "/cases", max_size=None) as socket:
        cases = json.loads(await socket.recv())
    await asyncio.gather(*(work(cases) for _ in range(8)))


asyncio.run(main())
