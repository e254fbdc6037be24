import type { RecordCertificate, RecordConnection, RecordTls } from '@tulle/telemetry';
import type { TlsPeer } from '../ports.ts';

/** A connection as records know it, made for who asks. */
export function recordConnection(
  id: number,
  protocol: RecordConnection['protocol'],
  end: { readonly localAddress: string; readonly localPort: number },
  peer: TlsPeer | undefined,
): RecordConnection {
  return {
    id,
    protocol,
    localAddress: end.localAddress,
    localPort: end.localPort,
    tls: peer === undefined ? undefined : new TlsOfPeer(peer),
  };
}

/** Certificates are read when they are asked for. */
class TlsOfPeer implements RecordTls {
  readonly version: string;
  readonly cipher: string;
  readonly #peer: TlsPeer;

  constructor(peer: TlsPeer) {
    this.version = peer.version ?? '';
    this.cipher = peer.cipher ?? '';
    this.#peer = peer;
  }

  get peer(): RecordCertificate | undefined {
    return this.#peer.certificate?.();
  }

  get own(): RecordCertificate | undefined {
    return this.#peer.own?.();
  }
}
