import type { StreamRecord } from '@tulle/telemetry';
import type { EngineConnection } from '../sides.ts';
import { localNameOf, remoteNameOf } from './connection-names.ts';
import type { Mutable } from './recorder.ts';

/** The ends of a connection, and what it brought along, for a record that is about no stream. */
export function describeEnds(record: Mutable<StreamRecord>, facts: EngineConnection): void {
  record.remoteAddress = remoteNameOf(facts);
  record.remotePort = facts.remotePort;
  record.localAddress = localNameOf(facts);
  record.localPort = facts.localPort;
  const { internal } = facts;
  if (internal === undefined) return;
  const { filterState, metadata } = internal.passed;
  record.filterState = (key) => filterState?.[key];
  record.metadata = (namespace) => metadata?.[namespace];
}
