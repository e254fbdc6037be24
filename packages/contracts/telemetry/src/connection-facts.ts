/** One connection of a stream, the caller's or the endpoint's. May be kept. */
export interface RecordConnection {
  /** Counted in the process from 1 on: the caller's among accepted ones, the endpoint's among those that were opened. */
  readonly id: number;
  /** What is spoken on it; `TCP` where it only passes bytes on. */
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'TCP';
  /** This proxy's own end; `''` for a Unix socket. */
  readonly localAddress: string;
  readonly localPort: number;
  /** Absent: plain text. */
  readonly tls: RecordTls | undefined;
}

/** What a TLS handshake agreed on. */
export interface RecordTls {
  /** As OpenSSL names it, e.g. `TLSv1.3`; `''` where nobody can tell. */
  readonly version: string;
  /** As OpenSSL names it, e.g. `TLS_AES_128_GCM_SHA256`; `''` where nobody can tell. */
  readonly cipher: string;
  /** What the peer showed, read when it is asked for; `undefined`: nothing, or the connection is gone. */
  readonly peer: RecordCertificate | undefined;
  /** What this proxy showed, likewise. */
  readonly own: RecordCertificate | undefined;
}

/** What a certificate says. */
export interface RecordCertificate {
  /** Of its DER form, in lower-case hex. */
  readonly sha256: string;
  readonly sha1: string;
  /** In lower-case hex. */
  readonly serial: string;
  /** RFC 2253. */
  readonly subject: string;
  readonly issuer: string;
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly emails: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly pem: string;
}

/** Times of an HTTP stream beside those that every record has: milliseconds from its start, -1 for what did not happen. */
export interface RecordTimes {
  /** The request was received whole. */
  readonly requestEndMs: number;
  /** The last attempt had its connection. */
  readonly connectedMs: number;
  /** The request went out whole on that. */
  readonly requestSentMs: number;
  /** The head of its response came. */
  readonly responseHeadMs: number;
}

/** Bytes of names and values of fields, pseudo fields too, before any compression. */
export interface RecordFieldBytes {
  readonly request: number;
  readonly response: number;
  readonly responseTrailers: number;
}
