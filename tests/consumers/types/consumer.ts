/** A strict project that connects, reads and pins a certificate. */

import { checkServerIdentity } from "node:tls";
import { type CloseInfo, ConnectError, WebSocketChannel } from "web-socket-channel";

export async function talk(url: string): Promise<CloseInfo> {
  await using channel = WebSocketChannel.connect(url, { protocols: ["v1"] });
  try {
    await channel.ready;
  } catch (error) {
    if (error instanceof ConnectError) throw new Error(String(error.phase), { cause: error });
    throw error;
  }
  channel.sink.add("text");
  channel.sink.add(new Uint8Array(1));
  for await (const message of channel.stream) {
    if (typeof message === "string") message.toUpperCase();
    else message.subarray(0, 1);
  }
  return await channel.closed;
}

export function pinned(url: string, fingerprint256: string): WebSocketChannel {
  return WebSocketChannel.connect(url, {
    tls: {
      checkServerIdentity(hostname, certificate) {
        if (certificate.fingerprint256 !== fingerprint256) return new Error("not the pinned one");
        return checkServerIdentity(hostname, certificate);
      },
    },
  });
}

// @ts-expect-error: a number is no message
export const wrong = (channel: WebSocketChannel) => channel.sink.add(1);
