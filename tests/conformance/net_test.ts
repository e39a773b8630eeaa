import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { testWebSocketChannel } from "./mod.ts";

testWebSocketChannel("net", {
  // Our own implementation is the same on every platform.
  traits: {
    ownProtocol: true,
    allCloseCodes: true,
    headers: true,
    checksAccept: true,
    tellsStatus: true,
    seesCloseBeforeTcpEnds: true,
    keepsByteOrderMark: true,
  },
  connect: (url, options) => NetWebSocketChannel.connect(url, options),
});
