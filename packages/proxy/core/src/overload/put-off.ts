import { PAUSE_HOOK } from '../sides.ts';
import { AT_REQUEST, type Stream } from '../stream/stream.ts';
import type { OverloadGate, PutOff } from './overload-manager.ts';

/**
 * Puts a request off that comes when this iteration of the event loop has begun enough of them, unless it is a health check
 * or a protected caller's. Its body is not read on meanwhile. @returns whether it waits
 */
export function putOff(stream: Stream, overload: OverloadGate): boolean {
  const { settings } = overload;
  if (settings === undefined || settings.healthCheckPaths.has(stream.path)) return false;
  const { peerIdentity } = stream.downstream.connection;
  if (peerIdentity !== undefined && settings.protectedIdentities.has(peerIdentity)) return false;
  if (!overload.putsOff(stream, stream.startMs)) return false;
  stream.downstream.pauseRequest(stream, PAUSE_HOOK);
  return true;
}

/** Its turn came: goes on, unless it is over or was answered meanwhile. */
export function beginPutOff({ stream: ref, generation }: PutOff): void {
  const stream = ref as Stream;
  if (!stream.live || stream.generation !== generation || stream.phase !== AT_REQUEST) return;
  const { engine } = stream;
  engine.turn.begin();
  try {
    engine.doors.beginRequest(stream);
  } catch (defect) {
    engine.defect(stream, defect);
  } finally {
    engine.turn.end();
  }
}
