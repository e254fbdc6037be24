import { readFileSync } from 'node:fs';
import { TulleError, type FilterHost } from '@tulle/filter';
import {
  JWT_DEFAULT_ALGORITHMS,
  type JwtAlgorithm,
  type JwtInlineKeys,
  type JwtProvider,
} from '@tulle/model';
import { compileStringMatch, CompileContext, loadedRegexEngine } from '@tulle/match';
import { claimHeaders } from './claim-headers.ts';
import { refusalOfClaims, verifiedToken, type ClaimRules } from './claims.ts';
import { importKeySet, parseKeySet, type Key } from './key-set.ts';
import { fixedKeys, RemoteKeys, type KeySource } from './key-source.ts';
import type { Reason } from './reasons.ts';
import { isSigned } from './signature.ts';
import type { ParsedToken } from './token.ts';
import { TokenCache, type Accepted } from './token-cache.ts';
import { tokenMetadata } from './token-metadata.ts';

/** Without `exp` a token is verified anew after this, so that a key that was taken back is noticed. */
const ENDLESS_FOR_MS = 300_000;

/** A provider at work: its keys, and the tokens of it that were verified. */
export class Provider {
  readonly config: JwtProvider;
  readonly issuer: string;
  readonly maxTokenBytes: number;
  readonly keys: KeySource;
  readonly #rules: ClaimRules;
  readonly #algorithms: readonly JwtAlgorithm[];
  readonly #cache: TokenCache;
  readonly #host: FilterHost;

  constructor(config: JwtProvider, keys: KeySource, host: FilterHost) {
    this.config = config;
    this.issuer = config.issuer;
    this.maxTokenBytes = config.maxTokenBytes ?? 8_192;
    this.keys = keys;
    this.#rules = {
      issuer: config.issuer,
      audiences: config.audiences,
      clockSkewMs: config.clockSkewMs ?? 60_000,
      requireExpiration: config.requireExpiration ?? true,
      subject: subjectTest(config),
      maxLifetimeMs: config.maxLifetimeMs,
    };
    this.#algorithms = algorithmsOf(config);
    const evicted = host.counter(
      'jwt_cache_evicted_total',
      'Verified tokens that gave way to newer ones past maxCachedTokens',
      { provider: config.name },
    );
    this.#cache = new TokenCache(config.maxCachedTokens ?? 1_000, () => evicted.add());
    this.#host = host;
  }

  /** A token that was verified before, if it still holds. */
  remembered(key: string): Accepted | undefined {
    const entry = this.#cache.get(key);
    if (entry === undefined) return undefined;
    if (this.#host.epochMs() < entry.endEpochMs && this.keys.current?.has(entry.key) === true) return entry;
    this.#cache.drop(key);
    return undefined;
  }

  /** What can be judged without a key: whether verifying is worth it. */
  refusalOf(parsed: ParsedToken): Reason | undefined {
    if (!this.#algorithms.includes(parsed.algorithm)) return 'algorithm';
    return refusalOfClaims(parsed.claims, this.#rules, this.#host.epochMs());
  }

  /**
   * Verifies the signature; waits only where keys have to be fetched.
   * @param key what the token is remembered by
   */
  verify(token: string, parsed: ParsedToken, key: string): Accepted | Reason | Promise<Accepted | Reason> {
    const candidates = this.#candidates(parsed);
    if (candidates.length > 0) return this.#verifyWith(candidates, token, parsed, key);
    const fetched = this.keys.refresh();
    if (fetched === undefined) return this.keys.current === undefined ? 'keys-unavailable' : 'unknown-key';
    return fetched.then(() => {
      if (this.keys.current === undefined) return 'keys-unavailable';
      const newer = this.#candidates(parsed);
      // The keys may have been slow: times are judged once more.
      return newer.length === 0
        ? 'unknown-key'
        : (this.refusalOf(parsed) ?? this.#verifyWith(newer, token, parsed, key));
    });
  }

  #candidates({ algorithm, keyId }: ParsedToken): readonly Key[] {
    return this.keys.current?.candidates(algorithm, keyId) ?? [];
  }

  #verifyWith(
    candidates: readonly Key[],
    token: string,
    parsed: ParsedToken,
    rememberBy: string,
  ): Accepted | Reason {
    const dot = token.lastIndexOf('.');
    const signed = Buffer.from(token.slice(0, dot), 'latin1');
    const signature = Buffer.from(token.slice(dot + 1), 'base64url');
    const key = candidates.find((candidate) => isSigned(parsed.algorithm, candidate.key, signed, signature));
    return key === undefined ? 'signature' : this.#accept(parsed, key, rememberBy);
  }

  #accept({ claims, header, payload }: ParsedToken, key: Key, rememberBy: string): Accepted {
    const headers = claimHeaders(this.config, claims, payload);
    const token = verifiedToken(this.config.name, claims);
    const exp = claims['exp'] as number | undefined;
    const accepted: Accepted = {
      token,
      alone: Object.freeze([token]),
      headers,
      forward: this.config.forward ?? false,
      metadata: tokenMetadata(this.config.metadata, claims, header),
      rematch: this.config.rematch ?? false,
      key,
      endEpochMs:
        exp === undefined ? this.#host.epochMs() + ENDLESS_FOR_MS : exp * 1_000 + this.#rules.clockSkewMs,
    };
    this.#cache.put(rememberBy, accepted);
    return accepted;
  }
}

function algorithmsOf({ algorithms }: JwtProvider): readonly JwtAlgorithm[] {
  return algorithms ?? JWT_DEFAULT_ALGORITHMS;
}

function subjectTest({ subjects }: JwtProvider): ((subject: string) => boolean) | undefined {
  if (subjects === undefined) return undefined;
  const context = new CompileContext(loadedRegexEngine());
  const test = compileStringMatch(subjects, context, '/subjects');
  context.finish('token subjects');
  return test;
}

function isSymmetric(algorithm: JwtAlgorithm): boolean {
  return algorithm.startsWith('HS');
}

/**
 * Makes a provider. Keys that are given are imported, fetched ones begin to be fetched.
 * @param path JSON pointer of its configuration
 * @throws TulleError `TULLE_CONFIG_INVALID` for keys or a URL that cannot be used
 */
export function createProvider(config: JwtProvider, path: string, host: FilterHost): Provider {
  const algorithms = algorithmsOf(config);
  const { jwks } = config;
  if ('url' in jwks) {
    if (algorithms.some(isSymmetric))
      throw invalid(
        `${path}/algorithms`,
        'HS256, HS384 and HS512 need a shared secret, and secrets are not published; give the key in jwks.keys',
      );
    if (jwks.cluster === undefined && !isSafeUrl(jwks.url))
      throw invalid(
        `${path}/jwks/url`,
        `${JSON.stringify(jwks.url)} would let whoever is on the way choose the keys; use https://, or name a cluster`,
      );
    return new Provider(config, new RemoteKeys(host, config, algorithms), host);
  }
  const keys = 'file' in jwks ? readKeys(jwks.file, `${path}/jwks/file`) : jwks.keys;
  const set = importKeySet(keys, algorithms, algorithms.some(isSymmetric), undefined);
  const [skipped] = set.skipped;
  if (skipped !== undefined)
    throw invalid(`${path}/jwks/keys/${skipped.index}`, `the key is not used: ${skipped.why}`);
  return new Provider(config, fixedKeys(set), host);
}

/** Read once: keys that change are fetched. */
function readKeys(file: string, path: string): JwtInlineKeys['keys'] {
  try {
    return parseKeySet(readFileSync(file, 'utf8'), 1_000);
  } catch (error) {
    throw invalid(
      path,
      `${JSON.stringify(file)} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === 'https:' || /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
  );
}

function invalid(path: string, message: string): TulleError {
  return new TulleError('TULLE_CONFIG_INVALID', `${path} ${message}`, { issues: [{ path, message }] });
}
