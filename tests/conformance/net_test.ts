import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { OWN_TRAITS, testWebSocketChannel } from "./mod.ts";

testWebSocketChannel("net", {
  traits: OWN_TRAITS,
  connect: (url, options) => NetWebSocketChannel.connect(url, options),
});
