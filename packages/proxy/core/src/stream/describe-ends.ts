import { DYNAMIC_METADATA, FILTER_STATE } from '@tulle/filter';
import type { StreamRecord } from '@tulle/telemetry';
import { TLV_STATE } from '../listener/proxied-fields.ts';
import type { EngineConnection } from '../sides.ts';
import { localNameOf, remoteNameOf } from './connection-names.ts';
import type { Mutable } from './recorder.ts';

/** The ends of a connection, what it brought along, and what its filters put down, for a record that is about no stream. */
export function describeEnds(record: Mutable<StreamRecord>, facts: EngineConnection): void {
  record.remoteAddress = remoteNameOf(facts);
  record.remotePort = facts.remotePort;
  record.localAddress = localNameOf(facts);
  record.localPort = facts.localPort;
  const { state, proxied } = facts;
  const filterState = state?.get(FILTER_STATE);
  if (filterState !== undefined || proxied?.state !== undefined)
    record.filterState = (key) =>
      filterState !== undefined && Object.hasOwn(filterState, key)
        ? filterState[key]
        : key === TLV_STATE
          ? proxied?.state
          : undefined;
  const metadata = state?.get(DYNAMIC_METADATA);
  if (metadata !== undefined)
    record.metadata = (namespace) => (Object.hasOwn(metadata, namespace) ? metadata[namespace] : undefined);
}
