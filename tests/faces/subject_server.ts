/**
 * The server of a case, with a behaviour for each path. In a browser's bundle, `tests/browser/remote_subject.ts` takes the
 * place of this module.
 */

import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import { turn } from "../support/turns.ts";

/** A running server. */
export interface SubjectServer {
  /** Its URL without a path: `ws://127.0.0.1:PORT`. */
  readonly url: string;
  /** The server's channels, in the order of connection; in a browser there are none. */
  readonly channels: ServerWebSocketChannel[];
  /** How the first channel of the server ended. */
  ending(): Promise<CloseInfo>;
  close(): Promise<void>;
}

async function serve(channel: ServerWebSocketChannel): Promise<void> {
  const { pathname, searchParams } = channel.request.url;
  const { sink, stream } = channel;
  const code = searchParams.get("code");
  const close = (): unknown =>
    code === null ? sink.close() : sink.close(Number(code), searchParams.get("reason") ?? "");
  switch (pathname) {
    case "/close":
      return void close();
    case "/burst":
      for (const text of ["one", "two", "three"]) sink.add(text);
      return void close();
    case "/bytes":
      sink.add(Uint8Array.of(1, 2, 3));
      sink.add(new Uint8Array(70_000).fill(7));
      sink.add("text");
      break;
    case "/lose":
      await stream.next();
      return channel.terminate();
    case "/close-after":
      await stream.next();
      return void close();
    case "/deaf":
      // The server reads nothing until a test starts the reading.
      await channel.closing;
      return;
  }
  stream.listen((message) => sink.add(message));
  await channel.closed;
}

/**
 * Starts a server.
 *
 * @param origins The origins of other servers' pages that may connect.
 */
export async function startSubject(origins: readonly string[] = []): Promise<SubjectServer> {
  const channels: ServerWebSocketChannel[] = [];
  const endings: CloseInfo[] = [];
  const server = await WebSocketServer.bind({
    hostname: "127.0.0.1",
    port: 0,
    origin: origins,
    compression: true,
    closeTimeout: 1_000,
    protocols: ({ url, protocols }) =>
      url.pathname === "/no-protocol" ? null : protocols[0] ?? null,
    verify: ({ url }) => url.pathname !== "/refused",
    handler: (channel) => {
      channels.push(channel);
      channel.closed.then((info) => endings.push(info));
      return serve(channel);
    },
    onError: () => {},
  });
  return {
    url: server.url.replace(/\/$/, ""),
    channels,
    async ending() {
      for (;;) {
        const [first] = endings;
        if (first !== undefined) return first;
        await turn();
      }
    },
    async close() {
      for (const channel of channels) channel.terminate();
      await server.close({ drainTimeout: 0 });
    },
  };
}
