import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { acceptAgain, createHttpServer, listen } from "../../src/server/http_server.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { createIdentity } from "../support/certificates.ts";

function closed(server: ReturnType<typeof createHttpServer>): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

Deno.test("listen tells where, and rejects where it can't", async () => {
  const first = createHttpServer(undefined, 0);
  const address = await listen(first, { hostname: "127.0.0.1", port: 0 });
  assertEquals([address.hostname, address.port > 0], ["127.0.0.1", true]);
  const second = createHttpServer(createIdentity(), 1000);
  await assertRejects(() => listen(second, address), Error);
  await closed(first);
});

Deno.test("where there is no node:http there is no server", () => {
  const { process } = globalThis as unknown as { process: { getBuiltinModule?: unknown } };
  const { getBuiltinModule } = process;
  process.getBuiltinModule = undefined;
  try {
    const error = assertThrows(() => createHttpServer(undefined, 0), UnsupportedError);
    assertEquals(error.capability, "node:http");
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
});

Deno.test({
  name: "Deno's undocumented server._handle.listen, which acceptAgain needs, is there",
  ignore: platform() !== "deno",
  async fn() {
    for (const tls of [undefined, createIdentity()]) {
      const server = createHttpServer(tls, 0);
      await listen(server, { hostname: "127.0.0.1", port: 0 });
      const { _handle: handle } = server as { _handle?: { listen?: unknown } };
      assertEquals(typeof handle?.listen, "function", tls === undefined ? "http" : "https");
      acceptAgain(server);
      await closed(server);
    }
  },
});
