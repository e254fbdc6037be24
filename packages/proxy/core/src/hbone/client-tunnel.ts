import type { FieldTable } from '@tulle/fields';
import {
  errorCodeName,
  H2_CANCEL,
  H2_REFUSED_STREAM,
  type Http2Stream,
  type ClientSession,
  type ResetCause,
} from '@tulle/http2';
import type { ResponseHead } from '@tulle/http1';
import type { Engine } from '../engine.ts';
import { StreamSide } from '../http2/stream-side.ts';
import { StreamSocket } from '../http2/stream-socket.ts';
import type { Socket, TlsPeer } from '../ports.ts';
import type { HboneMetrics } from './hbone-metrics.ts';
import type { TunnelPeer } from './tunnel-peer.ts';
import type { TunnelSocket } from './tunnel-socket.ts';

/** The connection that carries the tunnel. */
export interface ClientTunnelHost {
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: ClientSession<ClientTunnel>;
  readonly metrics: HboneMetrics;
  readonly peer: TunnelPeer | undefined;
  /** The tunnel is over, for its user and on the wire. */
  tunnelOver(): void;
}

/** One CONNECT that was sent, until both sides of the tunnel are over. */
export class ClientTunnel extends StreamSide<ClientTunnel> {
  declare host: ClientTunnelHost;
  /** Until it stands. */
  #asker: TunnelSocket | undefined;
  #over = false;

  /** @param head where the answer is read to */
  constructor(host: ClientTunnelHost, asker: TunnelSocket, head: ResponseHead) {
    super();
    this.takeIntoUse();
    this.host = host;
    this.#asker = asker;
    this.awaitTunnel();
    const { session, engine } = host;
    this.h2 = session.open(this, head);
    const fields = engine.newTable();
    asker.describe(fields);
    const fault = session.writeRequestHead(
      this.h2,
      'CONNECT',
      'https',
      asker.authority,
      '',
      fields,
      -1,
      false,
    );
    if (fault === undefined) return;
    this.h2 = undefined;
    this.#fail(0, fault.reason);
  }

  /** The answer to CONNECT. */
  head(h2: Http2Stream<ClientTunnel>, endStream: boolean): void {
    const { status } = h2.head as ResponseHead;
    const asker = this.#asker;
    if (asker === undefined) return;
    if (status < 200 || status > 299) {
      this.#reset();
      return this.#fail(status, `CONNECT ${asker.authority} was answered with ${status}`);
    }
    this.#asker = undefined;
    this.host.metrics.tunnels.add();
    const socket = new OpenTunnel(this.host, this);
    this.openTunnel(socket);
    if (endStream) this.ended(undefined);
    // Flows at the end of the turn, unless whoever gets it says otherwise.
    this.resumeTunnel();
    asker.opened(socket);
  }

  protected deliver(): boolean {
    return false;
  }

  protected finish(_trailers: FieldTable | undefined): void {}

  /** Nobody waits for it any more. */
  cancel(): void {
    this.#asker = undefined;
    this.#reset();
    this.#leaveIfOver();
  }

  drained(): void {
    this.tunnelSocket?.drained();
  }

  wasReset(code: number, cause: ResetCause): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(true);
    const asker = this.#asker;
    if (asker === undefined) return this.#leaveIfOver();
    // The peer did not look at it (RFC 9113 §8.7): another connection may carry it.
    if (cause === 'goaway' || (cause === 'peer' && code === H2_REFUSED_STREAM)) {
      this.#asker = undefined;
      asker.again();
      return this.#leaveIfOver();
    }
    this.#fail(
      0,
      cause === 'connection'
        ? `the connection ended before CONNECT ${asker.authority} was answered`
        : `CONNECT ${asker.authority} was reset: ${errorCodeName(code)}`,
    );
  }

  wasClosed(): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(false);
    this.#leaveIfOver();
  }

  tunnelClosed(): void {
    this.tunnelSocket = undefined;
    this.#leaveIfOver();
  }

  #fail(status: number, message: string): void {
    const asker = this.#asker;
    this.#asker = undefined;
    this.host.metrics.refused(status);
    asker?.fail({ kind: 'refused', reason: status === 0 ? 'hbone-reset' : `hbone-${status}`, message });
    this.#leaveIfOver();
  }

  #reset(): void {
    const { h2 } = this;
    if (h2 === undefined) return;
    this.h2 = undefined;
    this.host.session.reset(h2, H2_CANCEL);
  }

  #leaveIfOver(): void {
    if (this.#over || this.#asker !== undefined || this.h2 !== undefined || this.tunnelSocket !== undefined)
      return;
    this.#over = true;
    this.resetSide();
    this.host.tunnelOver();
  }
}

/** A tunnel that stands, as a connection to what it leads to. */
class OpenTunnel extends StreamSocket<ClientTunnel> {
  readonly #peer: TunnelPeer | undefined;

  constructor(host: ClientTunnelHost, side: ClientTunnel) {
    super(host.session, side, host.socket, host.engine.turn);
    this.#peer = host.peer;
  }

  override get tls(): TlsPeer | undefined {
    return this.#peer;
  }
}
