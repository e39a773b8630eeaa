/**
 * The command line: `connect`, `listen`, `ping`, `bench`, `tap`, `replay` and `check`, on Deno, Node and Bun.
 *
 * ```sh
 * npx web-socket-channel connect wss://example.com
 * deno run --allow-all jsr:@web-socket/channel/cli connect wss://example.com
 * ```
 *
 * @module
 */

import { main } from "./main.ts";

export { main } from "./main.ts";

if ((import.meta as { main?: boolean }).main) void main();
