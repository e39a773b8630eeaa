/** The cost of a subscriber of diagnostics; a connection without one has no extra cost. */

import type { ClientName } from "../clients.ts";
import { type Effort, measureAll, repeated } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import type { Row } from "../row.ts";
import { cycle } from "./net.ts";
import { echoResults, type Pair, rowOf, Servers } from "./section.ts";

const NOTE =
  "The client in one process, the server in another. The subscriber is in the client's process and counts bytes.";

/**
 * The second client has the subscriber. It connects last: a connection that begins later than the subscription is
 * observed, and all others are not.
 */
const CLIENTS: readonly ClientName[] = ["ours", "ours, observed"];

const NAMES = ["without a subscriber", "with a subscriber"];

/** Messages of two sizes, and connecting. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const servers = new Servers();
  // A ratio near 1 needs more rounds to be visible.
  const more = { ...effort, rounds: effort.quick ? effort.rounds : effort.rounds * 2 };
  const pairs = CLIENTS.map((client): Pair => [client, "ours"]);
  for (const [size, window] of [[64, 256], [16_384, 32]] as const) {
    const results = await echoResults(servers, { size, window, pairs, raw: false }, more);
    yield rowOf({
      id: `diagnostics-${size}`,
      title: `Diagnostics: echo of ${sizeName(size)}, ${window} in flight`,
      unit: "messages/s",
      note: NOTE,
    }, results.map((it, at) => ({ ...it, name: NAMES[at] ?? "" })));
  }
  const { url } = await servers.get("ours");
  const contenders = CLIENTS.map((client, at) =>
    repeated(NAMES[at] ?? "", () => cycle(client, url))
  );
  yield rowOf({
    id: "diagnostics-connect",
    title: "Diagnostics: connect, first echo, close, one after the other",
    unit: "connections/s",
    note: NOTE,
  }, await measureAll(contenders, effort));
  await servers.stop();
}
