/** The command line as a program, for runtimes that take a bundle. */

import { main } from "../../../src/cli/main.ts";

void main();
