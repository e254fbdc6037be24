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
  stream.durationTimer?.cancel(); // what is left of its time is the relay's
  stream.logTimer?.cancel();
  const { generation } = stream;
  const count = (): void => {
    stream.bytesReceived = head.received + relay.caller.bytes;
    stream.bytesSent = head.sent + relay.endpoint.bytes;
  };
  let outlasted = false;
  const head = { sent: stream.bytesSent, received: stream.bytesReceived };
  const relay: Relay = new Relay(
    engine,
    caller,
    endpoint,
    { bufferLimitBytes, idleTimeoutMs: stream.idleTimeoutMs },
    ({ idle, fault, side }) => {
      cancelEnd?.();
      cancelLog?.();
      upstream.tunnelOver();
      if (!stream.live || stream.generation !== generation) return onOver(); // it was completed otherwise
      const broken = fault !== undefined && side === 'endpoint';
      releaseEndpoint(stream, broken ? LOCAL_FAILURE : SUCCESS);
      count();
      if (idle) {
        stream.code = 'TULLE_STREAM_IDLE';
        stream.details = 'stream_idle_timeout';
        stream.flag('SI');
      } else if (outlasted) {
        stream.code = 'TULLE_REQUEST_TIMEOUT';
        stream.details = 'max_duration_timeout';
      }
      stream.requestReceived = true;
      stream.responseEnded = true;
      completeStream(stream);
      onOver();
    },
  );
  const maxMs = maxDurationMsOf(stream);
  const cancelEnd =
    maxMs > 0
      ? engine.clock.setTimer(Math.max(0, maxMs - (engine.turn.nowMs - stream.startMs)), () => {
          outlasted = true;
          engine.turn.begin();
          try {
            relay.finish({ fault: undefined, side: 'none', idle: false });
          } catch (defect) {
            engine.logDefect(defect);
          } finally {
            engine.turn.end();
          }
        })
      : undefined;
  let cancelLog: (() => void) | undefined;
  const everyMs = stream.chain.settings.logMoments?.everyMs ?? 0;
  const logLater = (): void => {
    cancelLog = engine.clock.setTimer(everyMs, () => {
      if (!stream.live || stream.generation !== generation) return;
      engine.turn.begin();
      try {
        count();
        engine.recorder.logMoment(stream, 'periodic');
        logLater();
      } catch (defect) {
        engine.logDefect(defect);
      } finally {
        engine.turn.end();
      }
    });
  };
  if (everyMs > 0) logLater();
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

/** As the route says, else the handler; 0: for ever. */
function maxDurationMsOf({ route, chain }: Stream): number {
  const action = route?.action;
  const own = action?.kind === 'forward' ? action.maxStreamDurationMs : -1;
  return own >= 0 ? own : chain.settings.maxStreamDurationMs;
}
