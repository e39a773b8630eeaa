/** Prints the result of each case: `program.ts net`, `native` or `ws`. */

import process from "node:process";
import type { Via } from "./attempt.ts";
import { printAll } from "./print_all.ts";

await printAll(process.argv[2] as Via);
// A platform's socket may stay open, and would keep the process running.
process.exit(0);
