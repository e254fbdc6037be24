import type { PeerCertificate, TlsPeer } from '../ports.ts';

/**
 * The peer of a connection that carries tunnels, as what comes through one sees it: who it is, and nothing of what the two
 * agreed on for the tunnels' own sake.
 */
export class TunnelPeer implements TlsPeer {
  readonly identity: string | undefined;
  readonly serverName: undefined;
  readonly alpn: undefined;
  readonly tunnelled = true;
  readonly #carrier: TlsPeer;

  constructor(carrier: TlsPeer) {
    this.identity = carrier.identity;
    this.#carrier = carrier;
  }

  certificate(): PeerCertificate | undefined {
    return this.#carrier.certificate?.();
  }
}
