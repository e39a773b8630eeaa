/** Echo over TLS. */

import { createIdentity } from "../../tests/support/certificates.ts";
import { connectClient } from "../clients.ts";
import { echoing } from "../load.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import { rawEchoing, rawSocket } from "../raw.ts";
import type { Row } from "../row.ts";
import { type RowHead, rowOf, Servers } from "./section.ts";

/** Small messages and larger ones. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const identity = createIdentity({ commonName: "127.0.0.1", names: ["127.0.0.1"] });
  const servers = new Servers(identity);
  for (const [size, window] of [[64, 256], [16_384, 32]] as const) {
    const load = { message: new Uint8Array(size).fill(97), window };
    const contenders: Contender[] = [];
    for (const [client, server] of [["ours", "ours, TLS"], ["ws", "ws, TLS"]] as const) {
      const { url } = await servers.get(server);
      const it = await connectClient(client, url, { ca: identity.cert });
      contenders.push(echoing(`${client} ↔ ${client}`, it, load));
    }
    const socket = await rawSocket((await servers.get("raw, TLS")).port, identity.cert);
    contenders.push(rawEchoing("raw TLS, a turn", socket, { size, window }));
    const head: RowHead = {
      id: `tls-${size}`,
      title: `Echo over TLS of ${sizeName(size)}, ${window} in flight`,
      unit: "messages/s",
      note: "The client in one process, the server in another.",
    };
    yield rowOf(head, await measureAll(contenders, effort));
  }
  await servers.stop();
}
