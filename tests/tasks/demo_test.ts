/** The demonstration that `deno task demo` runs. */
// Deno only: it starts processes

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deno } from "../support/command.ts";
import { withRecipe } from "../support/recipes.ts";

Deno.test("demo: exchanges messages with npm ws in another process", async () => {
  const { code, stdout } = await deno(["task", "--quiet", "demo"]);
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /^open +after \d+ ms\n +subprotocol: demo\.v1, extensions: none$/m);
  assertEquals(stdout.match(/^ +the same, [\d.]+ ms later$/gm)?.length, 3, stdout);
  assertMatch(stdout, /^sent +binary, 5 bytes: 00 01 02 fe ff\nreceived +binary, 5 bytes: 00/m);
  assertStringIncludes(stdout, "server says  got text, 1,048,576 bytes\n");
  assertMatch(stdout, /^closed +by this side$/m);
  assertStringIncludes(stdout, `the server's Close: 1000 "that's all"\n`);
  assertStringIncludes(stdout, `the client closed: code 1000, reason "that's all"\n`);
});

Deno.test("demo: connects to the server of the given URL", async () => {
  await withRecipe("close", {}, async (server) => {
    const { code, stdout } = await deno(["task", "--quiet", "demo", server.url]);
    assertEquals(code, 0, stdout);
    assertMatch(stdout, /^closed +by the server$/m);
    assertStringIncludes(stdout, `the server's Close: 4123 "server closed the connection"\n`);
  });
});

Deno.test("demo: prints what failed, and exits with 1", async () => {
  await withRecipe("http", { status: 403 }, async (server) => {
    const { code, stdout } = await deno(["task", "--quiet", "demo", server.url]);
    assertEquals(code, 1, stdout);
    assertMatch(stdout, /^failed +ConnectError: Cannot connect to ws:\S+: .*403$/m);
    assertStringIncludes(stdout, "The server answered with the HTTP status 403.\n");
  });
});

Deno.test("demo: a malformed URL is reported as well", async () => {
  const { code, stdout } = await deno(["task", "--quiet", "demo", "ftp://127.0.0.1"]);
  assertEquals(code, 1, stdout);
  assertMatch(
    stdout,
    /^failed +SyntaxError: Cannot connect: the URL's scheme must be ws: or wss:/m,
  );
});
