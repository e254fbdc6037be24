import type { TcpAddress } from '@tulle/model';
import type { AcceptedTunnel } from './server-tunnel.ts';
import type { ForwardedFor } from './forwarded.ts';

/** A tunnel that a peer asked for. */
export interface IncomingTunnel {
  readonly socket: AcceptedTunnel;
  /** Where it leads; the host may be a name. */
  readonly authority: TcpAddress;
  /** Where what comes through it came from, where a peer says so who is believed. */
  readonly forwardedFor: ForwardedFor | undefined;
}
