/** The error of a program without the permission to use the network. */
// Deno only: needs permissions and starts processes

import { assertEquals } from "@std/assert";
import { deno } from "../support/command.ts";

for (const transport of ["native", "net", "auto"]) {
  Deno.test(`permission: connect (${transport}) without --allow-net fails the channel, and doesn't throw`, async () => {
    const script = "tests/native/without_permission.ts";
    const { code, stdout, stderr } = await deno(["run", "--no-prompt", script, transport]);
    assertEquals({ code, stdout, stderr }, {
      code: 0,
      stdout: "ConnectError NotCapable transport true true\n",
      stderr: "",
    });
  });
}
