/** Connects with the transport of its argument, and prints what the channel reports. See permission_test.ts. */

import { WebSocketChannel } from "../../mod.ts";

const [transport] = Deno.args;
if (transport !== "native" && transport !== "net" && transport !== "auto") throw new TypeError();
const channel = WebSocketChannel.connect("ws://127.0.0.1:9/", { transport });
const error: unknown = await channel.ready.catch((it: unknown) => it);
const told: unknown = await channel.stream.next().catch((it: unknown) => it);
const { initiator, error: why } = await channel.closed;
if (!(error instanceof Error) || !(error.cause instanceof Error)) throw new TypeError();
console.log(error.name, error.cause.name, initiator, told === error, why === error);
// The program doesn't handle this rejection, which must not end the process with an error.
WebSocketChannel.connect("ws://127.0.0.1:9/", { transport });
