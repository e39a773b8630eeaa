/** graphql-ws: its client with a class of this package, its server with channels of this package. */

import assert from "node:assert/strict";
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL, makeServer } from "graphql-ws";
import { createWebSocket } from "web-socket-channel/faces";
import { WebSocketServer } from "web-socket-channel/server";
import { run } from "./support.mjs";

async function* greetings() {
  for (const greeting of ["hi", "bonjour", "ciao"]) yield { greetings: greeting };
}

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: "Query",
    fields: { hello: { type: GraphQLString, resolve: () => "world" } },
  }),
  subscription: new GraphQLObjectType({
    name: "Subscription",
    fields: { greetings: { type: GraphQLString, subscribe: greetings } },
  }),
});

await run(async () => {
  const graphql = makeServer({ schema });
  const server = await WebSocketServer.bind({
    port: 0,
    protocols: [GRAPHQL_TRANSPORT_WS_PROTOCOL],
    compression: true,
    handler: async (channel) => {
      const closed = graphql.opened({
        protocol: channel.protocol ?? "",
        send: (data) => void channel.sink.add(data),
        close: (code, reason) => void channel.sink.close(code, reason),
        onMessage: (take) => channel.stream.listen((message) => void take(String(message))),
      }, { request: channel.request });
      const { code, reason } = await channel.closed;
      await closed(code, reason);
    },
  });
  const { url } = server;

  const client = createClient({
    url,
    webSocketImpl: createWebSocket({ compression: true, pingInterval: 30_000 }),
  });
  const answers = [];
  for await (const { data } of client.iterate({ query: "{ hello }" })) answers.push(data.hello);
  for await (const { data } of client.iterate({ query: "subscription { greetings }" })) {
    answers.push(data.greetings);
  }
  assert.deepEqual(answers, ["world", "hi", "bonjour", "ciao"]);
  await client.dispose();
  await server.close();
});
