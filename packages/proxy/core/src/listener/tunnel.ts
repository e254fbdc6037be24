import { LOCAL_FAILURE, SUCCESS } from '@tulle/balance';
import { releaseEndpoint } from '../attempts/attempts.ts';
import { completeStream } from '../chain/complete.ts';
import type { Engine } from '../engine.ts';
import type { Socket } from '../ports.ts';
import type { UpstreamStream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { Relay } from './relay.ts';

/**
 * After 101 (or 2xx to CONNECT) a connection carries bytes: both sockets go over to a relay. The stream lives on until
 * that ends, so its record tells the whole time and all bytes.
 * @param early bytes of the caller that waited behind its request; not one of them left before the switch
 */
export function tunnelStream(
  engine: Engine,
  stream: Stream,
  caller: Socket,
  upstream: UpstreamStream,
  early: Buffer,
  callerEnded: boolean,
  bufferLimitBytes: number,
  onOver: () => void,
): void {
  stream.upstream = undefined;
  const endpoint = upstream.handOver();
  stream.idleTimer?.cancel();
  const head = { sent: stream.bytesSent, received: stream.bytesReceived };
  const relay: Relay = new Relay(
    engine,
    caller,
    endpoint,
    { bufferLimitBytes, idleTimeoutMs: stream.idleTimeoutMs },
    ({ idle, fault, side }) => {
      upstream.tunnelOver();
      const broken = fault !== undefined && side === 'endpoint';
      releaseEndpoint(stream, broken ? LOCAL_FAILURE : SUCCESS);
      stream.bytesReceived = head.received + relay.caller.bytes;
      stream.bytesSent = head.sent + relay.endpoint.bytes;
      if (idle) {
        stream.code = 'TULLE_STREAM_IDLE';
        stream.details = 'stream_idle_timeout';
        stream.flag('SI');
      }
      stream.requestReceived = true;
      stream.responseEnded = true;
      completeStream(stream);
      onOver();
    },
  );
  // Relayed at the end of the turn, behind the head that is gathered already.
  engine.turn.later({
    endOfTurn() {
      const held = upstream.takeHeld();
      if (held.length > 0) relay.endpoint.take(held, 0, held.length, true);
      if (early.length > 0) relay.caller.take(early, 0, early.length, true);
      if (callerEnded) relay.caller.onEnd();
      endpoint.resume();
    },
  });
}
