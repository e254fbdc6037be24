import fc from 'fast-check';
import type {
  Cluster,
  ProxyHeaderOptions,
  ProxyProtocol,
  ProxyProtocolVersion,
  ProxyTlv,
  ProxyTlvRule,
  TcpProxyTlvs,
} from '@tulle/model';
import { label, object, options } from './basics.ts';

const type = fc.nat(255);
const types: fc.Arbitrary<'all' | readonly number[]> = fc.oneof(
  fc.constant('all' as const),
  fc.array(type, { minLength: 1, maxLength: 2 }),
);
const tlv: fc.Arbitrary<ProxyTlv> = object<ProxyTlv>({
  type,
  valueBase64: fc
    .uint8Array({ minLength: 1, maxLength: 9 })
    .map((bytes) => Buffer.from(bytes).toString('base64')),
});

export const proxyProtocol: fc.Arbitrary<ProxyProtocolVersion> = fc.constantFrom(1, 2);

export const proxyHeader: fc.Arbitrary<ProxyHeaderOptions> = fc.oneof(
  object<ProxyHeaderOptions>({ passes: types }, { unaddressed: fc.constant(true) }),
  object<ProxyHeaderOptions>({ adds: fc.array(tlv, { minLength: 1, maxLength: 2 }) }, { passes: types }),
);

/** There is nothing more to say where nothing is said. */
export function withoutLoneHeader<T extends Pick<Cluster, 'proxyProtocol' | 'proxyHeader'>>(made: T): T {
  if (made.proxyProtocol !== undefined) return made;
  const { proxyHeader: _, ...rest } = made;
  return rest as T;
}

/** What listeners read. */
export const readHeader: fc.Arbitrary<ProxyProtocol> = options<ProxyProtocol>({
  optional: fc.boolean(),
  versions: fc.constantFrom([1] as const, [2] as const, [1, 2] as const),
  tlvs: fc.array(
    object<ProxyTlvRule>({ type, key: label }, { namespace: label, base64: fc.constant(true) }),
    {
      minLength: 1,
      maxLength: 2,
    },
  ),
  tlvsKeptIn: fc.constantFrom('metadata', 'filter-state'),
  passesTlvs: types,
});

export const tcpTlvs: fc.Arbitrary<TcpProxyTlvs> = object<TcpProxyTlvs>(
  {
    adds: fc.array(
      fc.oneof(
        tlv,
        object<{ readonly type: number; readonly format: string }>({
          type,
          format: fc.constantFrom('%DOWNSTREAM_REMOTE_ADDRESS%', 'a %%'),
        }),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  },
  { where: fc.constantFrom('absent', 'replace', 'append') },
);
