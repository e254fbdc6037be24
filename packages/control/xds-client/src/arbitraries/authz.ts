import fc from 'fast-check';
import type {
  AuthzFilterConfig,
  AuthzPolicy,
  AuthzRule,
  AuthzSource,
  AuthzTarget,
  StringMatch,
} from '@tulle/model';
import { cidr, label, object, options, spiffeId, stringMatch } from './basics.ts';

const filled = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: 1, maxLength: 2 });

const identity: fc.Arbitrary<string> = fc.oneof(
  spiffeId,
  fc.constant('*'),
  label.map((domain) => `spiffe://${domain}/*`),
  spiffeId.map((id) => `${id}*`),
);
const source: fc.Arbitrary<AuthzSource> = options<AuthzSource>({
  identities: filled(identity),
  notIdentities: filled(identity),
  namespaces: filled(label),
  cidrs: filled(cidr),
  notCidrs: filled(cidr),
}).filter((one) => Object.keys(one).length > 0);

const segments = fc.array(label, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const path: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('*', '/', '/*'),
  segments.map((text) => `/${text}`),
  segments.map((text) => `/${text}/`),
  segments.map((text) => `/${text}*`),
  segments.map((text) => `/${text}/*`),
  segments.map((text) => `*${text}`),
  segments.map((text) => `*/${text}`),
  segments.map((text) => `*.${text}/`),
);
const host: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom('', '*.'), label, label, fc.constantFrom('', ':8080'))
  .map(([star, a, b, port]) => `${star}${a}.${b}${port}`);
const headerMatch: fc.Arbitrary<StringMatch> = object<StringMatch>(
  { kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains'), value: label },
  { ignoreCase: fc.boolean() },
);
type HeaderCondition = NonNullable<AuthzTarget['headers']>[number];
/** In a DENY a value that one line has is enough; in an ALLOW it is when it is an exception. */
const plainHeader = (action: 'ALLOW' | 'DENY'): fc.Arbitrary<HeaderCondition> =>
  fc.oneof(
    object<HeaderCondition>(
      { name: label, match: fc.constant<StringMatch>({ kind: 'present' }) },
      { invert: fc.boolean() },
    ),
    object<HeaderCondition>({ name: label, match: headerMatch, invert: fc.constant(action === 'ALLOW') }),
  );
const anyHeader: fc.Arbitrary<HeaderCondition> = object<HeaderCondition>(
  { name: label, match: stringMatch },
  { invert: fc.boolean() },
);
const target = (header: fc.Arbitrary<HeaderCondition>): fc.Arbitrary<AuthzTarget> =>
  options<AuthzTarget>({
    methods: filled(fc.constantFrom('GET', 'POST', 'm-search')),
    notMethods: filled(fc.constantFrom('PUT', 'DELETE')),
    paths: filled(path),
    notPaths: filled(path),
    hosts: filled(host),
    notHosts: filled(host),
    ports: filled(fc.integer({ min: 0, max: 65_535 })),
    headers: filled(header),
  }).filter((one) => Object.keys(one).length > 0);

type RuleOf = (action: 'ALLOW' | 'DENY') => fc.Arbitrary<AuthzRule>;

const ruleWith =
  (header: (action: 'ALLOW' | 'DENY') => fc.Arbitrary<HeaderCondition>): RuleOf =>
  (action) =>
    options<AuthzRule>({ from: source, to: target(header(action)) } as never);
const policy = (ruleOf: RuleOf): fc.Arbitrary<AuthzPolicy> =>
  fc.constantFrom('ALLOW' as const, 'DENY' as const).chain((action) =>
    object<AuthzPolicy>(
      {
        name: fc.tuple(label, label).map((parts) => parts.join('/')),
        action: fc.constant(action),
        rules: fc.array(ruleOf(action), { maxLength: 3 }),
      },
      { shadow: fc.boolean() },
    ),
  );
const config = (ruleOf: RuleOf): fc.Arbitrary<AuthzFilterConfig> =>
  object<AuthzFilterConfig>(
    { policies: fc.uniqueArray(policy(ruleOf), { maxLength: 3, selector: ({ name }) => name }) },
    { defaultAction: fc.constantFrom('allow', 'deny') },
  );

/** What Envoy can say: no conditions on tokens, no patterns for headers, no header that every line must have. */
export const plainAuthzConfig: fc.Arbitrary<AuthzFilterConfig> = config(ruleWith(plainHeader));
export const authzConfig: fc.Arbitrary<AuthzFilterConfig> = fc.oneof(
  plainAuthzConfig,
  config(ruleWith(() => anyHeader)),
  config(() => object<AuthzRule>({ when: fc.constant([{ key: 'request.auth.principal', values: ['*'] }]) })),
);
