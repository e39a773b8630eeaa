/** Our server, and Python's websockets as the client, in its own process. */

import { assertEquals } from "@std/assert";
import process from "node:process";
import { findCommand, start } from "../support/processes.ts";
import { withServer } from "./support.ts";
import { leftOut } from "../support/needs.ts";

const python = findCommand([["/usr/bin/python3"], ["python3"]], ["-c", "import websockets"]);
const reason = leftOut("Python's websockets", python !== null);

for (const compression of [false, true]) {
  const title = compression ? "compressed" : "plain";
  Deno.test({
    name: `interop: Python's websockets at our server, ${title}${reason}`,
    ignore: python === null,
    fn: () =>
      withServer({ protocols: ["chat"], compression }, async (server) => {
        const script = `${process.cwd()}/tests/interop/peers/python_client.py`;
        const client = start([...python ?? [], script, server.url]);
        const serving = (async () => {
          for await (const channel of server) {
            channel.stream.listen((message) => {
              if (message === "close") channel.sink.close(3001, "you asked me to");
              else channel.sink.add(message);
            });
          }
        })();
        try {
          assertEquals(await client.next(), {
            protocol: "chat",
            extensions: compression ? ["PerMessageDeflate"] : [],
          });
          assertEquals(await client.next(), { code: 4321, reason: "done here" });
          assertEquals(await client.next(), { code: 3001, reason: "you asked me to" });
        } finally {
          await client.close();
          await server.close();
          await serving;
        }
      }),
  });
}
