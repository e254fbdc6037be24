import fc from 'fast-check';
import type {
  Address,
  FilterConfigs,
  HeaderEdits,
  HeaderMatch,
  HeaderValue,
  RouteHeaderEdits,
  RouteHeaderValue,
  Http2Keepalive,
  Http2Options,
  StringMatch,
  ValueMatch,
} from '@tulle/model';

/** An object in which each key is there or not. */
export function options<T extends object>(keys: {
  [K in keyof T]-?: fc.Arbitrary<NonNullable<T[K]>>;
}): fc.Arbitrary<T> {
  return fc.record(keys, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** An object with all of `required` and some of `optional`. */
export function object<T extends object>(required: object, optional: object = {}): fc.Arbitrary<T> {
  return fc.record(
    { ...required, ...optional },
    { requiredKeys: Object.keys(required) as never, noNullPrototype: true },
  ) as fc.Arbitrary<T>;
}

export const label: fc.Arbitrary<string> = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
/** Labels that an endpoint must have. */
export const subset: fc.Arbitrary<Readonly<Record<string, string>>> = fc.dictionary(label, label, {
  minKeys: 1,
  maxKeys: 2,
  noNullPrototype: true,
});
export const milliseconds: fc.Arbitrary<number> = fc.integer({ min: 0, max: 3_600_000 });
export const uint32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 32 - 1 });
export const share: fc.Arbitrary<number> = fc.integer({ min: 0, max: 1_000_000 });

/** Any JSON that a filter's config may be, `__proto__` as a key apart: protobuf maps cannot hold it. */
export const json: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown);
export const jsonObject: fc.Arbitrary<Record<string, unknown>> = fc.dictionary(label, json, {
  maxKeys: 3,
  noNullPrototype: true,
});
export const labels: fc.Arbitrary<Record<string, string>> = fc.dictionary(
  label,
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  { maxKeys: 3, noNullPrototype: true },
);

export const spiffeId: fc.Arbitrary<string> = fc
  .tuple(label, label, label)
  .map(([domain, namespace, account]) => `spiffe://${domain}/ns/${namespace}/sa/${account}`);
export const allowedIds: fc.Arbitrary<string[]> = fc.array(
  fc.oneof(
    spiffeId,
    label.map((domain) => `spiffe://${domain}/*`),
  ),
  { maxLength: 3 },
);

export const ipAddress: fc.Arbitrary<string> = fc.oneof(fc.ipV4(), fc.ipV6());
export const address: fc.Arbitrary<Address> = fc.oneof(
  object<Address>({ host: ipAddress, port: fc.integer({ min: 0, max: 65_535 }) }),
  object<Address>({ path: label.map((name) => `/run/${name}.sock`) }),
);
export const cidr: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, bits]) => `${ip}/${bits}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([ip, bits]) => `${ip}/${bits}`),
  ipAddress,
);

const text: fc.Arbitrary<string> = fc.string({ maxLength: 8 });
const flag: fc.Arbitrary<boolean> = fc.boolean();
export const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  object<StringMatch>(
    { kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains', 'regex'), value: text },
    { ignoreCase: flag },
  ),
  fc.constant<StringMatch>({ kind: 'present' }),
);
export const valueMatch: fc.Arbitrary<ValueMatch> = object<ValueMatch>(
  { name: label, match: stringMatch },
  { invert: flag },
);

const bound = fc.integer({ min: -1_000, max: 1_000 });
export const headerMatch: fc.Arbitrary<HeaderMatch> = fc.oneof(
  fc
    .tuple(valueMatch, fc.constantFrom('fails', 'empty', undefined))
    .map(([one, absent]): HeaderMatch => (absent === undefined ? one : { ...one, absent })),
  object<HeaderMatch>(
    {
      name: label,
      match: fc.record({ kind: fc.constant('range'), from: bound, to: bound }, { noNullPrototype: true }),
    },
    { invert: fc.boolean(), absent: fc.constantFrom('fails', 'empty') },
  ),
  object<HeaderMatch>(
    {
      name: fc.constantFrom(':method', ':authority', ':scheme', ':path'),
      match: fc.record(
        { kind: fc.constantFrom('prefix', 'suffix'), value: label },
        { noNullPrototype: true },
      ),
    },
    { invert: fc.boolean() },
  ),
);

/** Octets as latin1 text, as fields are. */
const fieldValue: fc.Arbitrary<string> = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
/** Names differ between `set` and `add`: an order between the two on one name cannot be told on the wire. */
const field = (prefix: string): fc.Arbitrary<HeaderValue> =>
  object<HeaderValue>({ name: label.map((name) => `${prefix}-${name}`), value: fieldValue });
export const headerEdits: fc.Arbitrary<HeaderEdits> = options<HeaderEdits>({
  set: fc.array(field('s'), { maxLength: 2 }),
  add: fc.array(field('a'), { maxLength: 2 }),
  remove: fc.array(label, { maxLength: 2 }),
});

/** Names differ between the lists where an order between them cannot be told. */
const routeField = (prefix: string): fc.Arbitrary<RouteHeaderValue> =>
  fc.oneof(
    field(prefix),
    object<RouteHeaderValue>({
      name: label.map((name) => `${prefix}-${name}`),
      value: fc.constantFrom('%PROTOCOL%', '%REQ(:path)% of %%', 'a %DOWNSTREAM_REMOTE_ADDRESS%'),
      format: fc.constant(true),
    }),
  );
export const routeHeaderEdits: fc.Arbitrary<RouteHeaderEdits> = options<RouteHeaderEdits>({
  remove: fc.array(label, { maxLength: 2 }),
  set: fc.array(routeField('s'), { maxLength: 2 }),
  setIfPresent: fc.array(routeField('p'), { maxLength: 2 }),
  add: fc.array(routeField('a'), { maxLength: 2 }),
  addIfAbsent: fc.array(routeField('n'), { maxLength: 2 }),
});

/** Overrides that any filter may have; standard filters get their own in filters.ts. */
export function overrides(standard: {
  readonly [slot: string]: fc.Arbitrary<unknown>;
}): fc.Arbitrary<FilterConfigs> {
  const own = options<Record<string, unknown>>(standard as never);
  return fc
    .tuple(
      own,
      fc.dictionary(label, fc.oneof(json, fc.constant(null)), { maxKeys: 2, noNullPrototype: true }),
    )
    .map(([first, second]) => ({ ...second, ...first }));
}

/** HTTP/2 on connections of one side. */
export const http2Options: fc.Arbitrary<Http2Options> = options<Http2Options>({
  maxConcurrentStreams: fc.integer({ min: 1, max: 2_147_483_647 }),
  initialStreamWindowBytes: fc.integer({ min: 65_535, max: 2_147_483_647 }),
  initialConnectionWindowBytes: fc.integer({ min: 65_535, max: 2_147_483_647 }),
  hpackTableBytes: fc.nat(65_536),
  keepalive: object<Http2Keepalive>(
    { intervalMs: milliseconds },
    { timeoutMs: milliseconds, jitterPercent: fc.nat(100), idleIntervalMs: milliseconds },
  ),
});
