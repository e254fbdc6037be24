import { errorRow } from '@tulle/filter';
import type { Engine } from '../engine.ts';
import type { SocketFault } from '../ports.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ListenerMetrics } from './serving.ts';
import { describeEnds } from '../stream/describe-ends.ts';

/** A peer did not prove who it is: there was no request, but the operator gets a line, a count and a record. */
export function noteRefusal(
  { name, metrics }: { readonly name: string; readonly metrics: ListenerMetrics },
  { log, recorder, clock }: Engine,
  facts: ConnectionFacts,
  fault: SocketFault,
): void {
  metrics.tlsRefused(fault.reason);
  log.warn(`connection from ${facts.directAddress} refused: ${fault.message}`, {
    listener: name,
    code: 'TULLE_PEER_REFUSED',
    reason: fault.reason,
  });
  const row = errorRow('TULLE_PEER_REFUSED');
  recorder.recordOther((record) => {
    record.kind = 'tcp';
    record.protocol = 'TCP';
    record.startEpochMs = clock.epochMs();
    record.listener = facts.listener;
    record.direction = facts.direction;
    record.code = 'TULLE_PEER_REFUSED';
    record.details = `${row?.details ?? ''}{${fault.reason}}`;
    record.flags = row === undefined || row.flag === '-' ? [] : [row.flag];
    describeEnds(record, facts);
  });
}
