import fc from 'fast-check';
import type {
  CompressionFilterConfig,
  CorsFilterConfig,
  IpAllowFilterConfig,
  RateLimit,
  RateLimitFilterConfig,
} from '@tulle/model';
import { cidr, label, object } from './basics.ts';

const single: fc.Arbitrary<RateLimit> = object<RateLimit>(
  { name: label, requests: fc.integer({ min: 1, max: 100_000 }) },
  { intervalMs: fc.integer({ min: 50, max: 3_600_000 }), burst: fc.integer({ min: 1, max: 100_000 }) },
);
const keyed: fc.Arbitrary<RateLimit> = object<RateLimit>(
  { name: label, requests: fc.integer({ min: 1, max: 1000 }) },
  {
    by: fc.array(
      fc.oneof(
        fc.constantFrom('identity', 'address'),
        object<{ readonly header: string }>({ header: label }),
      ),
      {
        maxLength: 2,
      },
    ),
    maxKeys: fc.integer({ min: 1, max: 1_000_000 }),
  },
);

/** What Envoy can say: at most one limit, for everybody together. */
export const singleRateLimitConfig: fc.Arbitrary<RateLimitFilterConfig> = object<RateLimitFilterConfig>({
  limits: fc.array(single, { maxLength: 1 }),
});
export const rateLimitConfig: fc.Arbitrary<RateLimitFilterConfig> = fc.oneof(
  singleRateLimitConfig,
  object<RateLimitFilterConfig>({ limits: fc.array(fc.oneof(single, keyed), { maxLength: 3 }) }),
);

const host: fc.Arbitrary<string> = fc.tuple(label, label).map((parts) => parts.join('.'));
const origin: fc.Arbitrary<string> = fc.oneof(
  fc.constant('*'),
  fc
    .tuple(
      fc.constantFrom('http', 'https'),
      fc.oneof(
        host,
        host.map((below) => `*.${below}`),
        fc.constant('*'),
      ),
      fc.constantFrom('', ':8080', ':9443'),
    )
    .map(([scheme, at, port]) => `${scheme}://${at}${port}`),
);
const tokens = fc.uniqueArray(label, { minLength: 1, maxLength: 3 });
const starred = fc.oneof(tokens, fc.constant(['*']));

/** What Envoy can say on a route. */
export const routeCorsConfig: fc.Arbitrary<CorsFilterConfig> = fc.oneof(
  object<CorsFilterConfig>(
    { allowOrigins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }) },
    {
      allowMethods: starred,
      allowHeaders: starred,
      exposeHeaders: starred,
      allowCredentials: fc.constant(false),
      maxAgeSeconds: fc.integer({ min: 0, max: 86_400 }),
    },
  ),
  object<CorsFilterConfig>(
    {
      allowOrigins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }),
      allowCredentials: fc.constant(true),
    },
    { allowMethods: tokens, allowHeaders: tokens },
  ),
);
export const corsConfig: fc.Arbitrary<CorsFilterConfig> = fc.oneof(
  routeCorsConfig,
  fc.constantFrom<CorsFilterConfig>(
    { allowOrigins: [] },
    { allowOrigins: ['https://a.example:443'] },
    { allowOrigins: ['app://[::1]:80'], allowCredentials: true, allowHeaders: ['*'] },
  ),
);

const wholeType = fc.constantFrom('text/html', 'application/json', 'image/svg+xml');

/** What Envoy can say: one coding, whole media types. */
export const singleCompressionConfig: fc.Arbitrary<CompressionFilterConfig> = fc
  .constantFrom<readonly ['gzip' | 'br' | 'zstd', number]>(['gzip', 9], ['br', 9], ['zstd', 12])
  .chain(([coding, most]) =>
    object<CompressionFilterConfig>(
      {
        codings: fc.constant([coding]),
        contentTypes: fc.uniqueArray(wholeType, { minLength: 1 }),
      },
      {
        minBytes: fc.integer({ min: 0, max: 1_048_576 }),
        levels: object<object>({ [coding]: fc.integer({ min: 1, max: most }) }),
      },
    ),
  );
export const compressionConfig: fc.Arbitrary<CompressionFilterConfig> = fc.oneof(
  singleCompressionConfig,
  object<CompressionFilterConfig>(
    {},
    {
      codings: fc.uniqueArray(fc.constantFrom('gzip', 'br', 'zstd'), { minLength: 1 }),
      contentTypes: fc.uniqueArray(fc.oneof(wholeType, fc.constantFrom('text/*', '*+json')), {
        minLength: 1,
      }),
      maxActive: fc.integer({ min: 1, max: 1000 }),
    },
  ),
);

const networks = fc.array(cidr, { minLength: 1, maxLength: 3 });
export const ipAllowConfig: fc.Arbitrary<IpAllowFilterConfig> = fc.oneof(
  object<IpAllowFilterConfig>({ allow: networks }, { deny: networks }),
  object<IpAllowFilterConfig>({ deny: networks }),
);
