/** Helpers for tests of connecting. */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { ConnectError, type ConnectOptions, NetWebSocketChannel } from "../../src/net/mod.ts";
import { createIdentity, type Identity } from "../support/certificates.ts";

/** An authority and identities that it has signed; created once. */
export interface Certificates {
  readonly authority: Identity;
  /** For `localhost`, 127.0.0.1 and ::1. */
  readonly local: Identity;
  /** For `other.test`. */
  readonly other: Identity;
  /** For `localhost`, but expired. */
  readonly expired: Identity;
  /** The identity of a client. */
  readonly client: Identity;
}

let made: Certificates | undefined;

/** The certificates of all tests. */
export function certificates(): Certificates {
  return made ??= makeCertificates();
}

function makeCertificates(): Certificates {
  const issuer = createIdentity({ commonName: "authority" });
  const names = ["localhost", "127.0.0.1", "::1"];
  return {
    authority: issuer,
    local: createIdentity({ commonName: "localhost", names, issuer }),
    other: createIdentity({ commonName: "other.test", names: ["other.test"], issuer }),
    expired: createIdentity({
      commonName: "localhost",
      names,
      issuer,
      notAfter: new Date(Date.now() - 60_000),
    }),
    client: createIdentity({ commonName: "client", names: ["client"], issuer }),
  };
}

/** Sends a text over a new connection and expects it back; then closes. */
export async function assertReaches(
  url: string,
  options?: ConnectOptions,
): Promise<NetWebSocketChannel> {
  const channel = NetWebSocketChannel.connect(url, options);
  try {
    await channel.ready;
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
  } finally {
    await channel.sink.close();
  }
  return channel;
}

/** The error of a failing connection, which is the same for `ready`, the stream and `closed`. */
export async function failure(url: string, options?: ConnectOptions): Promise<Error> {
  const channel = NetWebSocketChannel.connect(url, options);
  const error = await channel.ready.then(() => null, (it: unknown) => it);
  if (error === null) {
    await channel.sink.close();
    throw new Error(`A connection was made to ${url}`);
  }
  assertInstanceOf(error, Error);
  assertEquals(await channel.stream.next().catch((it: unknown) => it), error);
  assertEquals((await channel.closed).error, error);
  return error;
}

/** Like {@linkcode failure}, for a {@linkcode ConnectError}. */
export async function connectFailure(
  url: string,
  options?: ConnectOptions,
): Promise<ConnectError> {
  const error = await failure(url, options);
  assertInstanceOf(error, ConnectError);
  return error;
}

/** Runs a body, and closes its resources even if it fails. */
export async function withAll<T extends { close(): Promise<void> }[]>(
  resources: [...T],
  body: (...resources: T) => Promise<unknown>,
): Promise<void> {
  try {
    await body(...resources);
  } finally {
    for (const resource of [...resources].reverse()) await resource.close();
  }
}
