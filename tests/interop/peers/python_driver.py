"""Clients with Python's websockets, driven by lines of JSON, and telling what they get as such lines."""

import asyncio
import json
import sys

import websockets

clients = {}


def tell(client, event, **more):
    print(json.dumps({"client": client, "event": event, **more}), flush=True)


class Client:
    def __init__(self, number, url, protocols, headers, compression):
        self.number = number
        self.outbox = asyncio.Queue()
        self.socket = None
        self.task = asyncio.ensure_future(self.run(url, protocols, headers, compression))

    async def run(self, url, protocols, headers, compression):
        try:
            self.socket = await websockets.connect(
                url,
                subprotocols=protocols or None,
                extra_headers=headers,
                compression="deflate" if compression else None,
                max_size=None,
                ping_interval=None,
                open_timeout=None,
            )
        except BaseException as error:
            tell(self.number, "close", code=1006, reason="", error=repr(error))
            return
        extensions = ", ".join(it.name for it in self.socket.extensions)
        tell(self.number, "open", protocol=self.socket.subprotocol or "", extensions=extensions)
        sending = asyncio.ensure_future(self.send())
        try:
            async for message in self.socket:
                if isinstance(message, str):
                    tell(self.number, "message", text=message)
                else:
                    tell(self.number, "message", hex=message.hex())
        except websockets.ConnectionClosed:
            pass
        sending.cancel()
        await self.socket.wait_closed()
        tell(self.number, "close", code=self.socket.close_code, reason=self.socket.close_reason)

    async def send(self):
        while True:
            kind, value = await self.outbox.get()
            try:
                if kind == "close":
                    # This waits until messages are read; the loop above reads them.
                    asyncio.ensure_future(self.socket.close(*value))
                else:
                    await self.socket.send(value)
                    tell(self.number, "sent")
            except websockets.ConnectionClosed:
                pass

    def terminate(self):
        if self.socket is None:
            self.task.cancel()
        else:
            self.socket.transport.abort()


def obey(command):
    number = command["client"]
    what = command["do"]
    if what == "connect":
        clients[number] = Client(
            number,
            command["url"],
            command["protocols"],
            command["headers"],
            command["compression"],
        )
    elif what == "text":
        # A lone surrogate can't be sent: this replaces it by U+FFFD, like JavaScript's TextEncoder.
        text = command["text"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        clients[number].outbox.put_nowait(("message", text))
    elif what == "binary":
        clients[number].outbox.put_nowait(("message", bytes.fromhex(command["hex"])))
    elif what == "fragments":
        # A list is sent as one message, with a fragment for each part.
        clients[number].outbox.put_nowait(("message", [bytes.fromhex(it) for it in command["hexes"]]))
    elif what == "close":
        clients[number].outbox.put_nowait(("close", (command["code"], command["reason"])))
    elif what == "terminate":
        clients[number].terminate()


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        obey(json.loads(line))


asyncio.run(main())
