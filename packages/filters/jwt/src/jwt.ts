import {
  addMetadata,
  CONTINUE,
  defineHttpFilter,
  DYNAMIC_METADATA,
  TulleError,
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
  type JwtRequirement,
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
import { JWT_METADATA } from './token-metadata.ts';

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
  mergeRoute(base, override) {
    const merged = { ...base, requires: requirementOf(base, override), rules: [] };
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
  provides: [VERIFIED_TOKENS, DYNAMIC_METADATA],
  create: createJwt,
});

async function createJwt(host: FilterHost, config: JwtFilterConfig): Promise<HttpHooks<JwtFilterConfig>> {
  const regex =
    usesRegex(config) || config.providers.some(({ subjects }) => subjects?.kind === 'regex')
      ? await loadRegexEngine()
      : undefined;
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
      if (inForce.bypassPreflight === true && isPreflight(request)) return CONTINUE;
      const demand = demandsOf(inForce)(request);
      const found = find(stream, demand);
      if (typeof found === 'string')
        return demand.lenient
          ? finishWithout(stream, inForce, demand, found)
          : refuse(stream, inForce, found);
      if (found.length === 0) return finish(stream, inForce, demand, found, NOTHING);
      const [first] = found;
      if (found.length === 1 && first !== undefined) {
        const known = remembered(first);
        if (known !== undefined) {
          counts.hits.add();
          return finish(stream, inForce, demand, found, [known]);
        }
      }
      return demand.lenient
        ? verifyEach(stream, inForce, demand, found)
        : verifyAll(stream, inForce, demand, found);
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

  /** What can be judged of a token without its key. */
  function prepare(one: Found, at: number): Waiting | Reason {
    const parsed = parseToken(one.token);
    if (typeof parsed === 'string') return parsed;
    const provider = one.place.providers
      .map((index) => providers[index] as Provider)
      .find(({ issuer }) => issuer === parsed.claims['iss']);
    if (provider === undefined) return 'issuer';
    const refusal = one.token.length > provider.maxTokenBytes ? 'too-large' : provider.refusalOf(parsed);
    return refusal ?? { at, provider, parsed };
  }

  /** Refuses at once what needs no key; the rest is waited for. */
  function verifyAll(
    stream: HttpStream,
    inForce: JwtFilterConfig,
    demand: Demand,
    found: readonly Found[],
  ): HookResult {
    const accepted: (Accepted | undefined)[] = [];
    const waiting: Waiting[] = [];
    for (const [at, one] of found.entries()) {
      accepted[at] = remembered(one);
      if (accepted[at] !== undefined) {
        counts.hits.add();
        continue;
      }
      const prepared = prepare(one, at);
      if (typeof prepared === 'string') return refuse(stream, inForce, prepared);
      waiting.push(prepared);
    }
    for (const [index, { at, provider, parsed }] of waiting.entries()) {
      const { token, key } = found[at] as Found;
      counts.misses.add();
      const outcome = provider.verify(token, parsed, key);
      if (typeof outcome === 'object' && 'then' in outcome)
        return verifyLater(stream, inForce, demand, found, accepted, waiting.slice(index), outcome);
      if (typeof outcome === 'string') return refuse(stream, inForce, outcome);
      accepted[at] = outcome;
    }
    return finish(stream, inForce, demand, found, accepted as Accepted[]);
  }

  /** Keys have to be fetched for the first of those that wait. */
  async function verifyLater(
    stream: HttpStream,
    inForce: JwtFilterConfig,
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
      if (typeof outcome === 'string') return refuse(stream, inForce, outcome);
      accepted[at] = outcome;
    }
    return finish(stream, inForce, demand, found, accepted as Accepted[]);
  }

  /** Where tokens that are no good count as none. */
  async function verifyEach(
    stream: HttpStream,
    inForce: JwtFilterConfig,
    demand: Demand,
    found: readonly Found[],
  ): Promise<Verdict> {
    const good: Found[] = [];
    const accepted: Accepted[] = [];
    let failure: Reason | undefined;
    for (const [at, one] of found.entries()) {
      let outcome: Accepted | Reason | undefined = remembered(one);
      if (outcome !== undefined) counts.hits.add();
      else {
        const prepared = prepare(one, at);
        if (typeof prepared === 'string') outcome = prepared;
        else {
          counts.misses.add();
          outcome = await prepared.provider.verify(one.token, prepared.parsed, one.key);
          if (isOver(stream)) return CONTINUE;
        }
      }
      if (typeof outcome === 'string') failure ??= outcome;
      else {
        good.push(one);
        accepted.push(outcome);
      }
    }
    if (failure !== undefined) noteFailure(stream, inForce, failure);
    return finish(stream, inForce, demand, good, accepted, failure);
  }

  /** No token can be told from the others, and none has to be there. */
  function finishWithout(
    stream: HttpStream,
    inForce: JwtFilterConfig,
    demand: Demand,
    failure: Reason,
  ): Verdict {
    noteFailure(stream, inForce, failure);
    return finish(stream, inForce, demand, NOTHING, NOTHING, failure);
  }

  function noteFailure(stream: HttpStream, inForce: JwtFilterConfig, failure: Reason): void {
    const name = inForce.providers.find(({ metadata }) => metadata?.failure !== undefined)?.metadata?.failure;
    if (name !== undefined)
      addMetadata(stream, JWT_METADATA, {
        [name]: { code: reasonNumber(failure), message: REASONS[failure].replaceAll('_', ' ') },
      });
  }

  /**
   * Every token that counts is good: is it what the route requires?
   * @param accepted one for each found
   * @param failure why another one does not count
   */
  function finish(
    stream: HttpStream,
    inForce: JwtFilterConfig,
    demand: Demand,
    found: readonly Found[],
    accepted: readonly Accepted[],
    failure?: Reason,
  ): Verdict {
    const [first] = accepted;
    const tokens: readonly VerifiedToken[] =
      accepted.length === 1 && first !== undefined ? first.alone : accepted.map(({ token }) => token);
    if (!demand.holds(tokens))
      return refuse(stream, inForce, failure ?? (tokens.length === 0 ? 'missing' : 'requirement'));
    if (tokens.length > 0) stream.set(VERIFIED_TOKENS, tokens);
    let rematch = false;
    for (const [at, { headers, forward, metadata, ...one }] of accepted.entries()) {
      for (let index = 0; index < headers.length; index += 2)
        stream.request.headers.append(headers[index] as string, headers[index + 1] as string);
      if (!forward) (found[at] as Found).place.location.strip(stream);
      if (metadata !== undefined) addMetadata(stream, JWT_METADATA, metadata);
      rematch ||= one.rematch;
    }
    if (rematch) stream.rematch();
    counts.passed.add();
    stream.note(NOTE_PASSED, tokens.length);
    return CONTINUE;
  }

  function refuse(stream: HttpStream, { silentRefusals }: JwtFilterConfig, reason: Reason): Verdict {
    counts.refused(reason).add();
    stream.note(NOTE_REFUSED, reasonNumber(reason));
    const code = codeOf(reason);
    const details = `jwt_authn_access_denied{${REASONS[reason]}}`;
    const body = silentRefusals === true ? '' : undefined;
    if (code === 'TULLE_JWT_KEYS_UNAVAILABLE') return stream.reply(503, code, body, undefined, details);
    if (silentRefusals === true) return stream.reply(401, code, body, undefined, details);
    // RFC 6750 §3: without a token the challenge names no error.
    const realm = `Bearer realm="${stream.request.authority.replace(/[^\w.:[\]-]/g, '_')}"`;
    const challenge = reason === 'missing' ? realm : `${realm}, error="invalid_token"`;
    return stream.reply(401, code, body, ['www-authenticate', challenge], details);
  }
}

/** A browser asks whether it may ask (Fetch, "CORS-preflight fetch"). */
function isPreflight({ method, headers }: HttpStream['request']): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}

/** @throws TulleError `TULLE_CONFIG_INVALID` for a name that the chain has no requirement of */
function requirementOf({ requirements = {} }: JwtFilterConfig, override: JwtRouteConfig): JwtRequirement {
  if ('requires' in override) return override.requires;
  const { requirement: name } = override;
  const named = Object.hasOwn(requirements, name) ? requirements[name] : undefined;
  if (named !== undefined) return named;
  const message = `no requirement of the chain is named ${JSON.stringify(name)}; it has ${Object.keys(requirements).join(', ') || 'none'}`;
  throw new TulleError('TULLE_CONFIG_INVALID', `/requirement ${message}`, {
    issues: [{ path: '/requirement', message }],
  });
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
