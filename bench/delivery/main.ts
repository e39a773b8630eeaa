/** The bundled program that `deno task delivery` runs on each runtime: it runs one contender and prints JSON. */

import process from "node:process";
import { CONTENDERS } from "./contenders.ts";
import { jitter, type JitterPlan } from "./jitter.ts";

const [name = "", plan = "{}"] = process.argv.slice(2);
const start = CONTENDERS[name];
if (start === undefined) throw new RangeError(`No such contender: ${name}`);
// Peers may throw uncaught errors when their connections are reset: the other clients continue.
process.on("uncaughtException", (error) => console.error(`${name}: ${error}`));
try {
  const delivery = await jitter(await start(), JSON.parse(plan) as JitterPlan);
  console.log(JSON.stringify(delivery));
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
