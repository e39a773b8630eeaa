/** The command line as a program, for runtimes that run a bundle. */

import { main } from "../../../src/cli/main.ts";

void main();
