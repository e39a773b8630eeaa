/** Prints what is seen of all cases: `program.ts net`, `native` or `ws`. */

import process from "node:process";
import type { Via } from "./attempt.ts";
import { printAll } from "./print_all.ts";

await printAll(process.argv[2] as Via);
// A platform's socket may live on, and would keep the process.
process.exit(0);
