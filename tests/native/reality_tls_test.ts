/** The claims of reality_test.ts about TLS settings, with a server of the test's own authority. */

import { assertInstanceOf } from "@std/assert";
import { ConnectError, WebSocketChannel } from "../../mod.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { createIdentity } from "../support/certificates.ts";
import { startTls } from "../support/net_peers.ts";
import { startRecipe } from "../support/recipes.ts";

Deno.test(
  "native capabilities: tls is missing: the platform never trusts the user's own authority",
  {
    ignore: !hasNativeWebSocket(),
  },
  async () => {
    const authority = createIdentity();
    const identity = createIdentity({ names: ["localhost"], issuer: authority });
    const echo = await startRecipe("echo");
    const tls = await startTls(echo.url, identity);
    try {
      const channel = WebSocketChannel.connect(`wss://localhost:${tls.port}`, {
        transport: "native",
      });
      assertInstanceOf(await channel.ready.catch((it: unknown) => it), ConnectError);
    } finally {
      await tls.close();
      await echo.close();
    }
  },
);
