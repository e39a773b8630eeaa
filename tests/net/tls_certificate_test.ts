// A test of types: `deno task check` fails when one of these lines is wrong.

import { assertEquals } from "@std/assert";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { TlsCertificate, TlsOptions } from "../../src/net/mod.ts";

Deno.test("the types of checkServerIdentity fit those of node:tls, in both directions", () => {
  const certificateOf = (certificate: PeerCertificate): TlsCertificate => certificate;
  const all: TlsOptions[] = [
    { checkServerIdentity },
    { checkServerIdentity: (hostname, certificate) => checkServerIdentity(hostname, certificate) },
    {
      checkServerIdentity: (hostname: string, certificate: PeerCertificate) =>
        checkServerIdentity(hostname, certificateOf(certificate)),
    },
  ];
  const names = { subject: {}, subjectaltname: "DNS:a.test" } as TlsCertificate;
  const checked = all.map((tls) => tls.checkServerIdentity?.("a.test", names));
  assertEquals(checked, [undefined, undefined, undefined]);
});
