import {
  CONTINUE,
  defineHttpFilter,
  type FilterHost,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type RequestHead,
} from '@tulle/filter';
import {
  CORS_FILTER,
  corsFilterSchema,
  type CorsFilterConfig,
  type CorsOverride,
  corsOverrideSchema,
} from '@tulle/model';
import { CompileContext, compileStringMatch, loadedRegexEngine, loadRegexEngine } from '@tulle/match';
import { jsonSchema, perConfig } from '@tulle/schema';
import { compileOrigins, type OriginTest } from './origins.ts';

/** Decision notes (decision D10): a preflight was answered; the value is 1 when its origin is listed, else 0. */
export const NOTE_PREFLIGHT = 1;
/** The value is 1 when the request's origin is listed, else 0. */
export const NOTE_ORIGIN = 2;

/** What the CORS protocol lets a service say; here the filter says it, and nobody else. */
const RESPONSE_FIELDS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-max-age',
] as const;

/** Longest list of header names that is given back to a browser; its own requests have few and short ones. */
const MAX_ECHO_LENGTH = 4_096;
const NAMES = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;
const METHOD = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

interface Policy {
  readonly isListed: OriginTest;
  /** Every origin gets the same answer: `*`, without credentials. */
  readonly isPublic: boolean;
  readonly credentials: boolean;
  /** `undefined`: as the browser asks; `''`: none. */
  readonly methods: string | undefined;
  readonly headers: string | undefined;
  /** `undefined`: every one of the response; `''`: none. */
  readonly exposed: string | undefined;
  readonly maxAge: string;
  readonly privateNetwork: boolean;
}

/** What is remembered of a stream until its response. */
interface CorsState {
  /** The service's own affair. */
  passes: boolean;
}

/**
 * Cross-origin requests: answers preflights before anybody asks who calls, and tells browsers which pages may read a
 * response. An origin that is not listed is never named, whatever the service says.
 */
export const cors: HttpFilter<CorsFilterConfig, CorsOverride, CorsState> = defineHttpFilter<
  CorsFilterConfig,
  CorsOverride,
  CorsState
>({
  apiVersion: 1,
  id: CORS_FILTER,
  summary: 'Lets pages of listed origins use the service: answers preflights, marks responses.',
  config: jsonSchema<CorsFilterConfig>(corsFilterSchema),
  routeConfig: jsonSchema<CorsOverride>(corsOverrideSchema, { defaults: false }),
  /** A route's policy replaces the chain's, or takes from it what it does not say. */
  mergeRoute(base, { inherits = false, ...override }) {
    const merged = inherits ? filledFrom(base, override) : override;
    compile(merged);
    return merged;
  },
  applies: isPolicy,
  phase: 'cors',
  // A page learns of an error only when the answer is marked, also of 404.
  unrouted: true,
  effects: 'none',
  notes: { [NOTE_PREFLIGHT]: 'preflight, origin listed', [NOTE_ORIGIN]: 'origin listed' },
  state: {
    create: () => ({ passes: false }),
    reset(state) {
      state.passes = false;
    },
  },
  create: createCors,
});

/** What a policy says, and what another one says where it says nothing; whom it is for, it says itself. */
function filledFrom(
  { percent: _percent, ...base }: CorsFilterConfig,
  own: CorsFilterConfig,
): CorsFilterConfig {
  // Where nobody says it, Envoy leaves whoever is not listed to the service.
  const forwardUnlisted = own.forwardUnlisted ?? base.forwardUnlisted ?? !isPolicy(base);
  const { allowOrigins: _none, allowOriginMatches: _neither, ...rest } = own;
  return isPolicy(own)
    ? { ...base, allowOriginMatches: [], ...own, forwardUnlisted }
    : { ...base, ...rest, forwardUnlisted };
}

/** Whether it is for anybody. */
function isPolicy({ allowOrigins, allowOriginMatches = [] }: CorsFilterConfig): boolean {
  return allowOrigins.length + allowOriginMatches.length > 0;
}

async function createCors(
  host: FilterHost,
  config: CorsFilterConfig,
): Promise<HttpHooks<CorsFilterConfig, CorsState>> {
  // Routes may have patterns although the chain has none.
  if (config.allowOriginMatches !== undefined || config.allowOrigins.length === 0) await loadRegexEngine();
  const policyOf = perConfig(compile);
  policyOf(config);
  const counter = (result: string): ReturnType<FilterHost['counter']> =>
    host.counter('cors_preflights_total', 'Preflights answered', { result });
  const [allowed, refused] = [counter('allowed'), counter('refused')];
  return {
    requestHeaders(stream, inForce, state) {
      const { request } = stream;
      const { percent } = inForce;
      if (percent !== undefined && percent < 100 && host.random() * 100 >= percent) {
        state.passes = true;
        return CONTINUE;
      }
      const origin = originOf(request);
      if (origin === undefined) return CONTINUE;
      const policy = policyOf(inForce);
      const listed = policy.isListed(origin);
      if (!listed && inForce.forwardUnlisted === true) {
        state.passes = true;
        stream.note(NOTE_ORIGIN, 0);
        return CONTINUE;
      }
      if (!isPreflight(request)) {
        stream.note(NOTE_ORIGIN, listed ? 1 : 0);
        return CONTINUE;
      }
      (listed ? allowed : refused).add();
      stream.note(NOTE_PREFLIGHT, listed ? 1 : 0);
      return stream.reply(
        204,
        'TULLE_LOCAL_REPLY',
        '',
        listed ? preflightFields(policy, origin, request) : ['vary', PREFLIGHT_VARY],
        listed ? 'cors_preflight' : 'cors_preflight_refused',
      );
    },
    responseHeaders(stream, inForce, state) {
      const { request } = stream;
      if (state.passes) return CONTINUE;
      const origin = originOf(request);
      // The answer to a preflight is whole.
      if (origin !== undefined && isPreflight(request)) return CONTINUE;
      // Without an origin there is nobody to be told.
      if (origin === undefined && inForce.forwardUnlisted === true) return CONTINUE;
      mark(stream, policyOf(inForce), origin);
      return CONTINUE;
    },
  };
}

/** What caches must tell answers apart by. */
const PREFLIGHT_VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

function preflightFields(policy: Policy, origin: string, { headers }: RequestHead): string[] {
  const fields = ['access-control-allow-origin', policy.isPublic ? '*' : origin];
  if (policy.credentials) fields.push('access-control-allow-credentials', 'true');
  const method = headers.get('access-control-request-method') ?? '';
  const methods = policy.methods ?? (METHOD.test(method) ? method : '');
  if (methods !== '') fields.push('access-control-allow-methods', methods);
  const names = headers.get('access-control-request-headers') ?? '';
  const asked = names.length <= MAX_ECHO_LENGTH && NAMES.test(names) ? names : '';
  const allowed = policy.headers ?? asked;
  if (allowed !== '') fields.push('access-control-allow-headers', allowed);
  if (policy.privateNetwork && headers.get('access-control-request-private-network') === 'true')
    fields.push('access-control-allow-private-network', 'true');
  fields.push('access-control-max-age', policy.maxAge, 'vary', PREFLIGHT_VARY);
  return fields;
}

/** Marks a response: the service's own marks go, since they might name anybody. */
function mark(stream: HttpStream, policy: Policy, origin: string | undefined): void {
  const { headers } = stream.response;
  for (const name of RESPONSE_FIELDS) headers.remove(name);
  if (!policy.isPublic) varyByOrigin(stream);
  if (origin === undefined || !policy.isListed(origin)) return;
  headers.set('access-control-allow-origin', policy.isPublic ? '*' : origin);
  if (policy.credentials) headers.set('access-control-allow-credentials', 'true');
  const exposed = policy.exposed ?? namesOf(stream);
  if (exposed !== '') headers.set('access-control-expose-headers', exposed);
}

/** A cache must not give one origin's answer to another, nor an unmarked one to a listed origin. */
function varyByOrigin({ response: { headers } }: HttpStream): void {
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== 'vary') continue;
    for (const part of headers.value(index).split(',')) {
      const name = part.trim().toLowerCase();
      if (name === '*' || name === 'origin') return;
    }
  }
  headers.append('vary', 'Origin');
}

/** With credentials a browser takes `*` for a name: so every header is named. */
function namesOf({ response: { headers } }: HttpStream): string {
  const names = new Set<string>();
  for (let index = 0; index < headers.length; index += 1) {
    const name = headers.name(index);
    if (name !== 'set-cookie' && !name.startsWith('access-control-')) names.add(name);
  }
  return [...names].join(', ');
}

/** The one origin of a request; of several, which a browser never sends, none is listed. */
function originOf({ headers }: RequestHead): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < headers.length; index += 1) {
    if (headers.name(index) !== 'origin') continue;
    if (found !== undefined) return '';
    found = headers.value(index);
  }
  return found;
}

/** Fetch, "CORS-preflight request". */
function isPreflight({ method, headers }: RequestHead): boolean {
  return method === 'OPTIONS' && headers.has('access-control-request-method');
}

function isListedBy({ allowOrigins, allowOriginMatches = [] }: CorsFilterConfig): OriginTest {
  const named = compileOrigins(allowOrigins);
  const context = new CompileContext(loadedRegexEngine());
  const tests = allowOriginMatches.map((match, index) =>
    compileStringMatch(match, context, `/allowOriginMatches/${index}`),
  );
  context.finish('origins');
  // As in Envoy, what matches a star matches every origin.
  const any = tests.some((test) => test('*'));
  return (origin) => any || named(origin) || tests.some((test) => test(origin));
}

function compile(config: CorsFilterConfig): Policy {
  const credentials = config.allowCredentials ?? false;
  // With credentials `*` means nothing to a browser (Fetch, "CORS protocol and credentials").
  const list = (names: readonly string[] | undefined): string | undefined => {
    if (names?.includes('*') !== true) return (names ?? []).join(', ');
    return credentials ? undefined : '*';
  };
  return {
    isListed: isListedBy(config),
    isPublic: config.allowOrigins.includes('*') && !credentials,
    credentials,
    methods: list(config.allowMethods),
    headers: list(config.allowHeaders),
    exposed: list(config.exposeHeaders),
    maxAge: String(config.maxAgeSeconds ?? 5),
    privateNetwork: config.allowPrivateNetwork ?? false,
  };
}
