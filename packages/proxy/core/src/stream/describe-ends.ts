import { FILTER_STATE } from '@tulle/filter';
import type { StreamRecord } from '@tulle/telemetry';
import type { EngineConnection } from '../sides.ts';
import { localNameOf, remoteNameOf } from './connection-names.ts';
import type { Mutable } from './recorder.ts';

/** The ends of a connection, what it brought along, and what its filters put down, for a record that is about no stream. */
export function describeEnds(record: Mutable<StreamRecord>, facts: EngineConnection): void {
  record.remoteAddress = remoteNameOf(facts);
  record.remotePort = facts.remotePort;
  record.localAddress = localNameOf(facts);
  record.localPort = facts.localPort;
  const { internal, state } = facts;
  const filterState = state?.get(FILTER_STATE);
  if (filterState !== undefined)
    record.filterState = (key) => (Object.hasOwn(filterState, key) ? filterState[key] : undefined);
  const metadata = internal?.passed.metadata;
  if (metadata !== undefined) record.metadata = (namespace) => metadata[namespace];
}
