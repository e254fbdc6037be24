import type { CompiledTlvs, TcpChain } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import { describeConnection } from '../stream/describe-connection.ts';
import { addressesOf } from '../upstream/connect-endpoint.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { Tlv } from './proxied-fields.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';

/** What an endpoint of a chain of bytes may be told of its caller. */
export function calledBy(engine: Engine, { name, tlvs }: TcpChain, facts: ConnectionFacts): ProxiedAddresses {
  const whose = addressesOf(facts);
  if (tlvs === undefined || (tlvs.where === 'absent' && facts.proxied !== undefined)) return whose;
  const said = whose.tlvs ?? [];
  const adds = addedBy(engine, name, tlvs, facts);
  if (tlvs.where === 'append') return { ...whose, tlvs: [...said, ...adds] };
  return { ...whose, tlvs: [...adds, ...said.filter(({ type }) => !adds.some((one) => one.type === type))] };
}

function addedBy(engine: Engine, chain: string, { adds }: CompiledTlvs, facts: ConnectionFacts): Tlv[] {
  return adds.map(({ type, value }) => {
    if (typeof value !== 'function') return { type, value };
    const text = engine.recorder.describeOther((record) => {
      describeConnection(record, facts);
      record.startEpochMs = engine.clock.epochMs();
      record.filterChain = record.routeName = chain;
    }, value);
    return { type, value: Buffer.from(text, 'utf8') };
  });
}
