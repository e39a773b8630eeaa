/** PEM text or DER bytes, or a list of them. */
export type TlsData = string | Uint8Array | readonly (string | Uint8Array)[];

/** A private key in PEM with the passphrase that decrypts it. */
export interface TlsKey {
  /** The key, in PEM. */
  readonly pem: string | Uint8Array;
  /** The passphrase. */
  readonly passphrase?: string | undefined;
}

/** A PKCS #12 archive with the passphrase that decrypts it. */
export interface TlsArchive {
  /** The archive. */
  readonly buf: string | Uint8Array;
  /** The passphrase. */
  readonly passphrase?: string | undefined;
}

/** A version of TLS. */
export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/**
 * TLS settings of a client or a server, as in `createSecureContext` of `node:tls`.
 *
 * A setting that the runtime would ignore is rejected with an `UnsupportedError`. Deno ignores
 * `allowPartialTrustChain`, `ciphers`, `crl`, `ecdhCurve`, `secureOptions` and `sigalgs`. Bun ignores the
 * suites of TLS 1.3 in `ciphers`. Both ignore `dhparam` and engines.
 */
export interface TlsContextOptions {
  /** Certificates of the authorities to trust instead of the built-in ones, PEM. */
  ca?: TlsData | undefined;
  /**
   * The certificate chain of this side, PEM. With TLS 1.3, a server refuses a client's certificate after the
   * TLS handshake. The error still has the phase `"tls"`, except on Bun, which doesn't report why the
   * connection ended (phase `"handshake"`).
   */
  cert?: TlsData | undefined;
  /** The private key of this side, PEM. */
  key?: string | Uint8Array | readonly (string | Uint8Array | TlsKey)[] | undefined;
  /** The certificate chain and the private key of this side as a PKCS #12 archive. */
  pfx?: string | Uint8Array | readonly (string | Uint8Array | TlsArchive)[] | undefined;
  /** The passphrase that decrypts `key` or `pfx`. */
  passphrase?: string | undefined;
  /** Lists of revoked certificates, PEM. */
  crl?: TlsData | undefined;
  /** The oldest version of TLS to accept. Default: the runtime's. */
  minVersion?: TlsVersion | undefined;
  /** The newest version of TLS to accept. Default: the runtime's. */
  maxVersion?: TlsVersion | undefined;
  /**
   * The only version of TLS to accept, by OpenSSL's name of its method. Prefer `minVersion` and `maxVersion`.
   */
  secureProtocol?: string | undefined;
  /** The cipher suites to accept, in OpenSSL's format. */
  ciphers?: string | undefined;
  /** Whether the server's order of cipher suites takes precedence. */
  honorCipherOrder?: boolean | undefined;
  /** The curves to accept for the key exchange, in OpenSSL's format. */
  ecdhCurve?: string | undefined;
  /** The parameters of a Diffie-Hellman key exchange, PEM, or `"auto"`. */
  dhparam?: string | Uint8Array | undefined;
  /** The signature algorithms to accept, in OpenSSL's format. */
  sigalgs?: string | undefined;
  /** OpenSSL's options, as a bit mask of `SSL_OP_…`. */
  secureOptions?: number | undefined;
  /** Whether a certificate in `ca` is trusted even if it isn't self-signed. */
  allowPartialTrustChain?: boolean | undefined;
  /** The OpenSSL engine for the client's certificate. */
  clientCertEngine?: string | undefined;
  /** The OpenSSL engine that has the private key. */
  privateKeyEngine?: string | undefined;
  /** The private key's name in its engine. */
  privateKeyIdentifier?: string | undefined;
  /** The name under which a server keeps sessions. */
  sessionIdContext?: string | undefined;
  /** The time in which a session can be resumed, in seconds. */
  sessionTimeout?: number | undefined;
  /** The keys for session tickets: 48 bytes. */
  ticketKeys?: Uint8Array | undefined;
}

/**
 * A server's certificate, as `getPeerCertificate` of `node:tls` returns it. `checkServerIdentity` of `node:tls` accepts
 * it.
 */
export interface TlsCertificate {
  /** Whether it is the certificate of an authority. */
  readonly ca: boolean;
  /** The subject by field: `CN`, `O` and so on. */
  // deno-lint-ignore no-explicit-any -- each version of `node:tls` declares its fields otherwise
  readonly subject: any;
  /** The issuer by field. */
  // deno-lint-ignore no-explicit-any -- each version of `node:tls` declares its fields otherwise
  readonly issuer: any;
  /** Its alternative names, such as `"DNS:example.com, IP Address:127.0.0.1"`. */
  readonly subjectaltname?: string;
  /** The start of its validity. */
  readonly valid_from: string;
  /** The end of its validity. */
  readonly valid_to: string;
  /** Its serial number, in hexadecimal. */
  readonly serialNumber: string;
  /** The SHA-1 digest of the whole certificate, in upper case, with colons. To pin, use `fingerprint256`. */
  readonly fingerprint: string;
  /** The SHA-256 digest of the whole certificate, in upper case, with colons. */
  readonly fingerprint256: string;
  /** The SHA-512 digest of the whole certificate, in upper case, with colons. */
  readonly fingerprint512: string;
  /** The whole certificate, DER: a `Buffer`, on Deno a `Uint8Array`. */
  // deno-lint-ignore no-explicit-any -- `node:tls` asks for a `Buffer`
  readonly raw: any;
  /** Its public key, DER: a `Buffer`, on Deno a `Uint8Array`. */
  // deno-lint-ignore no-explicit-any -- `node:tls` asks for a `Buffer`
  readonly pubkey?: any;
}

/** TLS settings of a client, as in `connect` of `node:tls`. */
export interface TlsOptions extends TlsContextOptions {
  /** The server name to request and to check, instead of the URL's host. */
  servername?: string | undefined;
  /** Whether to reject a server that can't be verified. Default `true`. */
  rejectUnauthorized?: boolean | undefined;
  /**
   * Checks a certificate that an authority has signed, for pinning. It returns an error to reject it, and
   * `undefined` to accept it. An exception, and any other value, such as a promise, rejects it, too. It can't
   * be combined with `rejectUnauthorized: false`, which would ignore it.
   *
   * It replaces the comparison of the certificate's names with the host: call `checkServerIdentity` of
   * `node:tls` to keep that.
   */
  checkServerIdentity?(hostname: string, certificate: TlsCertificate): Error | undefined;
  /**
   * The offered application protocols (RFC 7301). Default `["http/1.1"]`, because HTTP/2 can't be upgraded.
   */
  ALPNProtocols?: readonly string[] | undefined;
  /** The result of `createSecureContext` of `node:tls`, instead of its options. Not on Deno. */
  secureContext?: object | undefined;
  /** A session to resume, from the event `session` of `node:tls`. */
  session?: Uint8Array | undefined;
  /** Returns the pre-shared key. Only on Node. */
  pskCallback?(hint: string | null): { readonly psk: Uint8Array; readonly identity: string } | null;
  /** The minimum size of a Diffie-Hellman parameter, in bits. */
  minDHSize?: number | undefined;
  /** Whether to request the status of the certificate. */
  requestOCSP?: boolean | undefined;
  /** Whether OpenSSL prints a trace. */
  enableTrace?: boolean | undefined;
  /** The number of bytes that the platform's socket reads ahead. */
  highWaterMark?: number | undefined;
}
