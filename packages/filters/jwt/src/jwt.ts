import {
  CONTINUE,
  defineHttpFilter,
  VERIFIED_TOKENS,
  type FilterHost,
  type HookResult,
  type HostCounter,
  type HttpFilter,
  type HttpHooks,
  type HttpStream,
  type Verdict,
  type VerifiedToken,
} from '@tulle/filter';
import { loadRegexEngine } from '@tulle/match';
import {
  JWT_FILTER,
  jwtFilterSchema,
  jwtRouteSchema,
  type JwtFilterConfig,
  type JwtRouteConfig,
} from '@tulle/model';
import { jsonSchema, perConfig } from '@tulle/schema';
import { claimHeaderNames, hyphened, removeOwned } from './claim-headers.ts';
import { SEVERAL } from './locations.ts';
import { createProvider, type Provider } from './provider.ts';
import { codeOf, REASONS, reasonNumber, type Reason } from './reasons.ts';
import { compileDemands, usesRegex, type Demand, type Place } from './rules.ts';
import { parseToken, type ParsedToken } from './token.ts';
import { tokenKey, type Accepted } from './token-cache.ts';

/** Decision notes (decision D10). Passed; the value is how many tokens were verified. */
export const NOTE_PASSED = 1;
/** Refused; the value is the reason's number. */
export const NOTE_REFUSED = 2;

/** A token that was found, on its way to being verified or refused. */
interface Found {
  readonly place: Place;
  readonly token: string;
  readonly key: string;
}

/** A token that has to be verified. @param at its place among those that were found */
interface Waiting {
  readonly at: number;
  readonly provider: Provider;
  readonly parsed: ParsedToken;
}

/**
 * Bearer tokens: finds, verifies and strips them, and refuses requests that lack what the route requires with 401. A
 * request waits only where keys have to be fetched; a token that was verified before is known again.
 */
export const jwt: HttpFilter<JwtFilterConfig, JwtRouteConfig> = defineHttpFilter<
  JwtFilterConfig,
  JwtRouteConfig
>({
  apiVersion: 1,
  id: JWT_FILTER,
  summary: 'Verifies bearer tokens (JWT) and hands their claims to later filters and the service.',
  config: jsonSchema<JwtFilterConfig>(jwtFilterSchema),
  routeConfig: jsonSchema<JwtRouteConfig>(jwtRouteSchema),
  mergeRoute(base, { requires }) {
    const merged = { ...base, requires, rules: [] };
    compileDemands(merged, undefined);
    return merged;
  },
  phase: 'authn',
  // A stranger must not learn from 401 and 404 which paths exist.
  unrouted: true,
  effects: 'external',
  notes: { [NOTE_PASSED]: 'tokens passed', [NOTE_REFUSED]: 'token refused' },
  // Who cannot be asked for a token must not come in.
  failOpen: 'forbidden',
  provides: [VERIFIED_TOKENS],
  create: createJwt,
});

async function createJwt(host: FilterHost, config: JwtFilterConfig): Promise<HttpHooks<JwtFilterConfig>> {
  const regex = usesRegex(config) ? await loadRegexEngine() : undefined;
  const demandsOf = perConfig((inForce: JwtFilterConfig) => compileDemands(inForce, regex));
  demandsOf(config);
  const providers = config.providers.map((provider, index) =>
    createProvider(provider, `/providers/${index}`, host),
  );
  const ownedHeaders: ReadonlySet<string> = new Set(config.providers.flatMap(claimHeaderNames).map(hyphened));
  const counts = countsOf(host);

  return {
    requestHeaders(stream, inForce): HookResult {
      const { request } = stream;
      removeOwned(request.headers, ownedHeaders);
      const demand = demandsOf(inForce)(request);
      const found = find(stream, demand);
      if (typeof found === 'string') return refuse(stream, found);
      if (found.length === 0) return finish(stream, demand, found, NOTHING);
      const [first] = found;
      if (found.length === 1 && first !== undefined) {
        const known = remembered(first);
        if (known !== undefined) {
          counts.hits.add();
          return finish(stream, demand, found, [known]);
        }
      }
      return verifyAll(stream, demand, found);
    },
    dispose() {
      for (const provider of providers) provider.keys.close();
    },
  };

  function find(stream: HttpStream, { places }: Demand): readonly Found[] | Reason {
    let found: Found[] | undefined;
    for (const place of places) {
      const token = place.location.read(stream.request);
      if (token === undefined) continue;
      if (token === SEVERAL) return 'several-tokens';
      // One provider's tokens at two of its places: a service may use the one that was not judged.
      if (found?.some((other) => other.place.providers.some((index) => place.providers.includes(index))))
        return 'several-tokens';
      if (place.providers.every((index) => token.length > (providers[index] as Provider).maxTokenBytes))
        return 'too-large';
      (found ??= []).push({ place, token, key: tokenKey(token) });
    }
    return found ?? NOTHING;
  }

  function remembered({ place, key }: Found): Accepted | undefined {
    for (const index of place.providers) {
      const known = (providers[index] as Provider).remembered(key);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  /** Refuses at once what needs no key; the rest is waited for. */
  function verifyAll(stream: HttpStream, demand: Demand, found: readonly Found[]): HookResult {
    const accepted: (Accepted | undefined)[] = [];
    const waiting: Waiting[] = [];
    for (const [at, one] of found.entries()) {
      accepted[at] = remembered(one);
      if (accepted[at] !== undefined) {
        counts.hits.add();
        continue;
      }
      const parsed = parseToken(one.token);
      if (typeof parsed === 'string') return refuse(stream, parsed);
      const provider = one.place.providers
        .map((index) => providers[index] as Provider)
        .find(({ issuer }) => issuer === parsed.claims['iss']);
      if (provider === undefined) return refuse(stream, 'issuer');
      const refusal = one.token.length > provider.maxTokenBytes ? 'too-large' : provider.refusalOf(parsed);
      if (refusal !== undefined) return refuse(stream, refusal);
      waiting.push({ at, provider, parsed });
    }
    for (const [index, { at, provider, parsed }] of waiting.entries()) {
      const { token, key } = found[at] as Found;
      counts.misses.add();
      const outcome = provider.verify(token, parsed, key);
      if (typeof outcome === 'object' && 'then' in outcome)
        return verifyLater(stream, demand, found, accepted, waiting.slice(index), outcome);
      if (typeof outcome === 'string') return refuse(stream, outcome);
      accepted[at] = outcome;
    }
    return finish(stream, demand, found, accepted as Accepted[]);
  }

  /** Keys have to be fetched for the first of those that wait. */
  async function verifyLater(
    stream: HttpStream,
    demand: Demand,
    found: readonly Found[],
    accepted: (Accepted | undefined)[],
    waiting: readonly Waiting[],
    first: Promise<Accepted | Reason>,
  ): Promise<Verdict> {
    for (const [index, { at, provider, parsed }] of waiting.entries()) {
      const { token, key } = found[at] as Found;
      const outcome = await (index === 0 ? first : provider.verify(token, parsed, key));
      if (isOver(stream)) return CONTINUE;
      if (typeof outcome === 'string') return refuse(stream, outcome);
      accepted[at] = outcome;
    }
    return finish(stream, demand, found, accepted as Accepted[]);
  }

  /** Every token that was there is good: is it what the route requires? @param accepted one for each found */
  function finish(
    stream: HttpStream,
    demand: Demand,
    found: readonly Found[],
    accepted: readonly Accepted[],
  ): Verdict {
    const [first] = accepted;
    const tokens: readonly VerifiedToken[] =
      accepted.length === 1 && first !== undefined ? first.alone : accepted.map(({ token }) => token);
    if (!demand.holds(tokens)) return refuse(stream, tokens.length === 0 ? 'missing' : 'requirement');
    if (tokens.length > 0) stream.set(VERIFIED_TOKENS, tokens);
    for (const [at, { headers, forward }] of accepted.entries()) {
      for (let index = 0; index < headers.length; index += 2)
        stream.request.headers.append(headers[index] as string, headers[index + 1] as string);
      if (!forward) (found[at] as Found).place.location.strip(stream);
    }
    counts.passed.add();
    stream.note(NOTE_PASSED, tokens.length);
    return CONTINUE;
  }

  function refuse(stream: HttpStream, reason: Reason): Verdict {
    counts.refused(reason).add();
    stream.note(NOTE_REFUSED, reasonNumber(reason));
    const code = codeOf(reason);
    const details = `jwt_authn_access_denied{${REASONS[reason]}}`;
    if (code === 'TULLE_JWT_KEYS_UNAVAILABLE') return stream.reply(503, code, undefined, undefined, details);
    // RFC 6750 §3: without a token the challenge names no error.
    const realm = `Bearer realm="${stream.request.authority.replace(/[^\w.:[\]-]/g, '_')}"`;
    const challenge = reason === 'missing' ? realm : `${realm}, error="invalid_token"`;
    return stream.reply(401, code, undefined, ['www-authenticate', challenge], details);
  }
}

/** The caller went away while keys were fetched: nobody acts on the verdict. */
function isOver(stream: HttpStream): boolean {
  try {
    return stream.requestId === undefined;
  } catch {
    return true;
  }
}

const NOTHING: readonly never[] = Object.freeze([]);

interface Counts {
  readonly passed: HostCounter;
  readonly hits: HostCounter;
  readonly misses: HostCounter;
  readonly refused: (reason: Reason) => HostCounter;
}

function countsOf(host: FilterHost): Counts {
  const refused = new Map(
    (Object.keys(REASONS) as Reason[]).map((reason) => [
      reason,
      host.counter('jwt_refused_total', 'Requests refused for their token, or the lack of one', { reason }),
    ]),
  );
  return {
    passed: host.counter('jwt_passed_total', 'Requests whose tokens are what the route requires'),
    hits: host.counter('jwt_cache_hits_total', 'Tokens that were verified before'),
    misses: host.counter('jwt_cache_misses_total', 'Tokens whose signature was verified'),
    refused: (reason) => refused.get(reason) as HostCounter,
  };
}
