import {
  type ConnExtAuthzFilterConfig,
  EXT_PROC_ATTRIBUTES,
  type ExtProcFilterConfig,
  type ExtProcRouteConfig,
} from '@tulle/model';
import fc from 'fast-check';
import { label, object, options } from './basics.ts';

const heads = fc.constant('skip' as const);
const bodies = fc.constantFrom('streamed', 'buffered', 'buffered-partial');
const trailers = fc.constant('send' as const);
const mode = options<NonNullable<ExtProcFilterConfig['mode']>>({
  requestHeaders: heads,
  responseHeaders: heads,
  requestBody: bodies,
  responseBody: bodies,
  requestTrailers: trailers,
  responseTrailers: trailers,
});
const yes = fc.constant(true);
const mutationRules = options<NonNullable<ExtProcFilterConfig['mutationRules']>>({
  allowRouting: yes,
  allowEnvoy: yes,
  disallowSystem: yes,
  disallowAll: yes,
  allowPattern: fc.constantFrom('x-.*', 'a'),
  disallowPattern: fc.constantFrom('x-secret', 'b+'),
  disallowedIsError: yes,
});
const service = object<ExtProcFilterConfig['service']>({ cluster: label }, { authority: label });
const list = <T extends string>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.uniqueArray(one, { minLength: 1, maxLength: 3 });
const names = list(fc.constantFrom('x-a', 'x-*', ':path', 'cookie'));

/** What Envoy's own type says: all but the size of what is collected, and a call's own metadata in a chain. */
export const plainExtProcConfig: fc.Arbitrary<ExtProcFilterConfig> = object<ExtProcFilterConfig>(
  { service },
  {
    mode,
    messageTimeoutMs: fc.integer({ min: 1, max: 3_600_000 }),
    maxMessageTimeoutMs: fc.integer({ min: 1, max: 3_600_000 }),
    failureMode: fc.constant('allow'),
    allowModeOverride: yes,
    allowImmediateResponse: fc.constant(false),
    mutationRules,
    sentHeaders: names,
    withheldHeaders: names,
    requestAttributes: list(fc.constantFrom(...EXT_PROC_ATTRIBUTES)),
    responseAttributes: list(fc.constantFrom(...EXT_PROC_ATTRIBUTES)),
    sentMetadata: list(label),
    receivedMetadata: list(label),
    rematch: fc.constantFrom('always', 'never'),
  },
);

export const extProcConfig: fc.Arbitrary<ExtProcFilterConfig> = fc.oneof(
  plainExtProcConfig,
  object<ExtProcFilterConfig>(
    { service, maxBodyBytes: fc.integer({ min: 1, max: 1_000 }) },
    { statusOnError: fc.integer({ min: 400, max: 599 }), allowedModes: fc.array(mode, { maxLength: 2 }) },
  ),
);

export const extProcRouteConfig: fc.Arbitrary<ExtProcRouteConfig> = options<ExtProcRouteConfig>({
  mode,
  service,
  failureMode: fc.constantFrom('deny', 'allow'),
  requestAttributes: list(fc.constantFrom(...EXT_PROC_ATTRIBUTES)),
  responseAttributes: list(fc.constantFrom(...EXT_PROC_ATTRIBUTES)),
  sentMetadata: list(label),
  receivedMetadata: list(label),
  addedMetadata: fc.constant([{ name: 'x-token', value: 'secret' }]),
});

/** External authorization of connections. */
export const connExtAuthzConfig: fc.Arbitrary<ConnExtAuthzFilterConfig> = object<ConnExtAuthzFilterConfig>(
  { service },
  {
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    failureMode: fc.constant('allow'),
    tellServerName: yes,
    tellCertificate: yes,
  },
);
