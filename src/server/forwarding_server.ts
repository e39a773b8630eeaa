import type { HttpServer, ListenOptions } from "./http_server.ts";

/** What is used of a server of `node:net` or `node:tls`. */
export interface Listener
  extends Pick<HttpServer, "listen" | "address" | "close" | "ref" | "unref"> {
  // deno-lint-ignore no-explicit-any -- what it gives depends on the event
  on(event: string, listener: (value?: any) => void): unknown;
  once(event: "listening", listener: () => void): unknown;
  setSecureContext?(options: object): void;
}

/** A server of `node:http` that connections can be given to. */
export type EmittingServer = HttpServer & { emit(event: "connection", socket: object): unknown };

/**
 * A server of `node:http` whose connections a server of `node:net` or `node:tls` accepts, where that one can listen in
 * ways that `node:http` can't.
 */
export class ForwardingServer implements HttpServer {
  readonly #listener: Listener;
  readonly #http: EmittingServer;

  /**
   * Forwards connections.
   *
   * @param listener Who listens.
   * @param event With which event it gives a connection.
   * @param http Who reads requests.
   */
  constructor(
    listener: Listener,
    event: "connection" | "secureConnection",
    http: EmittingServer,
  ) {
    this.#listener = listener;
    this.#http = http;
    listener.on(event, (socket: object) => http.emit("connection", socket));
  }

  listen(options: ListenOptions): unknown {
    return this.#listener.listen(options);
  }

  address(): ReturnType<HttpServer["address"]> {
    return this.#listener.address();
  }

  close(callback: () => void): unknown {
    return this.#listener.close(callback);
  }

  ref(): unknown {
    return this.#listener.ref();
  }

  unref(): unknown {
    return this.#listener.unref();
  }

  // deno-lint-ignore no-explicit-any -- the events' own types are those of `HttpServer`
  on(event: string, listener: (...args: any[]) => void): unknown {
    return event === "error"
      ? this.#listener.on(event, listener)
      : this.#http.on(event as never, listener);
  }

  once(event: "listening", listener: () => void): unknown {
    return this.#listener.once(event, listener);
  }

  setSecureContext(options: object): void {
    this.#listener.setSecureContext?.(options);
  }
}
