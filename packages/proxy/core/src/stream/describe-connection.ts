import type { StreamRecord } from '@tulle/telemetry';
import type { ConnectionFacts } from '../listener/connection-facts.ts';
import { describeEnds } from './describe-ends.ts';
import { recordConnection } from './record-connection.ts';
import type { Mutable } from './recorder.ts';

/** What a connection itself is, for a record that is about it. */
export function describeConnection(record: Mutable<StreamRecord>, facts: ConnectionFacts): void {
  record.kind = 'tcp';
  record.protocol = 'TCP';
  record.listener = facts.listener;
  record.direction = facts.direction;
  record.peerIdentity = facts.peerIdentity;
  describeEnds(record, facts);
  record.tls = facts.tls;
  record.serverName = facts.serverName;
  record.downstream = recordConnection(facts.id, 'TCP', facts, facts.tlsPeer);
}
