/** Certificates for tests, which `node:crypto` alone creates when they are needed: no tool needs to be installed. */

import { Buffer } from "node:buffer";
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4 } from "node:net";

/** A certificate and its key, both in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** The content of a certificate. */
export interface CertificateOptions {
  /** The subject's common name. */
  commonName?: string;
  /** The host names and IP addresses that it is valid for. */
  names?: readonly string[];
  /** The authority that signs it. Default: it signs itself. */
  issuer?: Identity;
  /** The end of its validity. Default: a day from now. */
  notAfter?: Date;
}

const DAY = 24 * 60 * 60 * 1000;

/** Creates a key and a certificate for it. */
export function createIdentity(options: CertificateOptions = {}): Identity {
  const { commonName = "test", names = [], issuer } = options;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = distinguishedName(commonName);
  const notAfter = options.notAfter ?? new Date(Date.now() + DAY);
  const toBeSigned = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    SIGNATURE_ALGORITHM,
    issuer === undefined ? subject : subjectOf(issuer.cert),
    sequence(utcTime(new Date(notAfter.getTime() - 2 * DAY)), utcTime(notAfter)),
    subject,
    Buffer.from(publicKey.export({ type: "spki", format: "der" })),
    tagged(0xa3, sequence(...extensions(issuer === undefined, names))),
  );
  const signer: KeyObject | string = issuer === undefined ? privateKey : issuer.key;
  const signature = sign("sha256", toBeSigned, signer);
  const certificate = sequence(toBeSigned, SIGNATURE_ALGORITHM, bitString(signature));
  return {
    cert: pem("CERTIFICATE", certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Creates an authority's list of revoked certificates, in PEM (RFC 5280 §5). */
export function createRevocationList(authority: Identity, revoked: readonly Identity[]): string {
  const now = new Date();
  const entries = revoked.map(({ cert }) => {
    const serial = Buffer.from(new X509Certificate(cert).serialNumber, "hex");
    return sequence(integer(serial), utcTime(now));
  });
  const toBeSigned = sequence(
    integer(Buffer.of(1)),
    SIGNATURE_ALGORITHM,
    subjectOf(authority.cert),
    utcTime(new Date(now.getTime() - DAY)),
    utcTime(new Date(now.getTime() + DAY)),
    sequence(...entries),
  );
  const signature = sign("sha256", toBeSigned, authority.key);
  return pem("X509 CRL", sequence(toBeSigned, SIGNATURE_ALGORITHM, bitString(signature)));
}

/** Whether a key belongs to a certificate, for tests of this file. */
export function publicKeyOf(identity: Identity): string {
  return createPublicKey(identity.key).export({ type: "spki", format: "pem" }).toString();
}

// X.690 (DER): a tag, a length, the content.

function tagged(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length;
  const length = size < 128
    ? Buffer.of(size)
    : size < 256
    ? Buffer.of(0x81, size)
    : Buffer.of(0x82, size >> 8, size & 255);
  return Buffer.concat([Buffer.of(tag), length, body]);
}

function sequence(...content: Uint8Array[]): Buffer {
  return tagged(0x30, ...content);
}

function integer(bytes: Uint8Array): Buffer {
  return tagged(0x02, bytes);
}

function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return tagged(0x03, Buffer.of(unused), bytes);
}

function octetString(bytes: Uint8Array): Buffer {
  return tagged(0x04, bytes);
}

/** The arcs of an object identifier, already encoded, in hexadecimal. */
function identifier(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

function utcTime(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return tagged(0x17, Buffer.from(`${text}Z`));
}

function distinguishedName(commonName: string): Buffer {
  const name = tagged(0x0c, Buffer.from(commonName));
  return sequence(tagged(0x31, sequence(identifier("550403"), name)));
}

/** RFC 5758 §3.2: ECDSA with SHA-256. */
const SIGNATURE_ALGORITHM = sequence(identifier("2a8648ce3d040302"));

// RFC 5280 §4.2: the usage of a certificate.

function extensions(isAuthority: boolean, names: readonly string[]): Buffer[] {
  const list = [
    extension("551d13", sequence(...(isAuthority ? [tagged(0x01, Buffer.of(0xff))] : []))),
    extension(
      "551d0f",
      isAuthority ? bitString(Buffer.of(0x86), 1) : bitString(Buffer.of(0x80), 7),
    ),
  ];
  if (names.length > 0) list.push(extension("551d11", sequence(...names.map(alternativeName))));
  return list;
}

function extension(id: string, value: Uint8Array): Buffer {
  return sequence(identifier(id), tagged(0x01, Buffer.of(0xff)), octetString(value));
}

function alternativeName(name: string): Buffer {
  if (isIPv4(name)) return tagged(0x87, Buffer.from(name.split(".").map(Number)));
  if (name === "::1") return tagged(0x87, Buffer.alloc(15), Buffer.of(1));
  return tagged(0x82, Buffer.from(name));
}

/** The encoded subject: the sixth field of the signed part. */
function subjectOf(cert: string): Buffer {
  const der = Buffer.from(cert.replace(/-----[^-]+-----|\s/g, ""), "base64");
  let at = contentStart(der, contentStart(der, 0));
  for (let field = 0; field < 5; field++) at = contentEnd(der, at);
  return der.subarray(at, contentEnd(der, at));
}

function contentStart(der: Buffer, at: number): number {
  const first = der[at + 1] ?? 0;
  return at + 2 + (first < 128 ? 0 : first & 127);
}

function contentEnd(der: Buffer, at: number): number {
  const start = contentStart(der, at);
  const size = start - at - 2;
  return start + (size === 0 ? der[at + 1] ?? 0 : der.readUIntBE(at + 2, size));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
