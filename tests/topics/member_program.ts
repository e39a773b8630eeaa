/** A process that is a member of a topic until it is killed: `member_program.ts <url of Redis> <lease>`. */

import { createClient } from "redis";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { redisStreams, Topics } from "../../src/topics/mod.ts";

const [url = "", lease = ""] = Deno.args;
const client = createClient({ url });
client.on("error", () => {});
await client.connect();
const topics = new Topics({ engine: redisStreams(client), lease: Number(lease) });
const { server } = webSocketChannelPair();
await topics.subscribe(server, "a", { presence: "killed" });
console.log("member");
