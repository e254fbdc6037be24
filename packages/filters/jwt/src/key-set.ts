import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { JWT_ALGORITHMS, type JwtAlgorithm } from '@tulle/model';
import { findJsonFault } from './json-fault.ts';

/** A key, and the algorithms that it may be used with. */
export interface Key {
  readonly id: string | undefined;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly key: KeyObject;
  /** What makes it this key: equal in two sets, it is the same one. */
  readonly content: string;
}

/** What was not taken of a set, for the log. */
export interface SkippedKey {
  readonly index: number;
  readonly why: string;
}

/** A set of keys of one issuer. Immutable; a refresh makes another one, in which equal keys are the same objects. */
export class KeySet {
  readonly keys: readonly Key[];
  readonly skipped: readonly SkippedKey[];
  readonly #all: ReadonlySet<Key>;

  constructor(keys: readonly Key[], skipped: readonly SkippedKey[]) {
    this.keys = keys;
    this.skipped = skipped;
    this.#all = new Set(keys);
  }

  has(key: Key): boolean {
    return this.#all.has(key);
  }

  /** Keys that may have signed; with a key id only those that have it. At most {@link MAX_CANDIDATES}. */
  candidates(algorithm: JwtAlgorithm, keyId: string | undefined): readonly Key[] {
    const found: Key[] = [];
    for (const key of this.keys) {
      if (keyId !== undefined && key.id !== keyId) continue;
      if (!key.algorithms.includes(algorithm)) continue;
      if (found.push(key) === MAX_CANDIDATES) break;
    }
    return found;
  }
}

/** Keys tried for one token: more would let a stranger buy many verifications with one request. */
const MAX_CANDIDATES = 4;
const MAX_KEY_ID_LENGTH = 256;
/** RFC 7518 §3.3: at least 2,048 bits. More than 8,192 costs the verifier milliseconds. */
const MIN_RSA_BYTES = 256;
const MAX_RSA_BYTES = 1_024;
/** Members that only a private key has (RFC 7518 §6.2.2, §6.3.2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const;
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'k'] as const;

const CURVES: Readonly<Record<string, readonly JwtAlgorithm[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
};

type Jwk = Readonly<Record<string, unknown>>;

/** Reads a JWK Set document. @throws Error with a sentence when it is none */
export function parseKeySet(text: string, maxKeys: number): readonly Jwk[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('the answer is no JSON');
  }
  const fault = findJsonFault(text);
  if (fault !== undefined)
    throw new Error(fault === 'depth' ? 'the answer is nested too deep' : 'the answer names a member twice');
  const keys: unknown = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : 0;
  if (!Array.isArray(keys)) throw new Error('the answer is no JWK Set: it has no list "keys"');
  if (keys.length > maxKeys) throw new Error(`the set has ${keys.length} keys, more than maxKeys ${maxKeys}`);
  return keys as readonly Jwk[];
}

/**
 * Imports what can be used of a set; the rest is skipped, with why.
 * @param algorithms those that the provider takes
 * @param before keys that are there already: equal ones are taken over
 */
export function importKeySet(
  jwks: readonly Jwk[],
  algorithms: readonly JwtAlgorithm[],
  symmetric: boolean,
  before: KeySet | undefined,
): KeySet {
  const known = new Map(before?.keys.map((key) => [key.content, key]));
  const keys: Key[] = [];
  const skipped: SkippedKey[] = [];
  for (const [index, jwk] of jwks.entries()) {
    const found = importKey(jwk, algorithms, symmetric, known);
    if (typeof found === 'string') skipped.push({ index, why: found });
    else keys.push(found);
  }
  return new KeySet(keys, skipped);
}

function importKey(
  jwk: unknown,
  algorithms: readonly JwtAlgorithm[],
  symmetric: boolean,
  known: ReadonlyMap<string, Key>,
): Key | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is no object';
  const members = jwk as Jwk;
  const problem = problemOf(members, symmetric);
  if (problem !== undefined) return problem;
  const fitting = algorithmsOf(members).filter((algorithm) => algorithms.includes(algorithm));
  if (fitting.length === 0) return `it fits none of the algorithms ${algorithms.join(', ')}`;
  const id = members['kid'] as string | undefined;
  const bare: Record<string, string> = {};
  for (const name of PUBLIC_MEMBERS) if (typeof members[name] === 'string') bare[name] = members[name];
  const content = JSON.stringify([id, fitting, bare]);
  const same = known.get(content);
  if (same !== undefined) return same;
  try {
    const key =
      bare['kty'] === 'oct' ? createSecretKey(secretOf(bare)) : createPublicKey({ key: bare, format: 'jwk' });
    return { id, algorithms: fitting, key, content };
  } catch (error) {
    return `it cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function secretOf(jwk: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(jwk['k'] ?? '', 'base64url');
}

function problemOf(jwk: Jwk, symmetric: boolean): string | undefined {
  if (jwk['kid'] !== undefined && (typeof jwk['kid'] !== 'string' || jwk['kid'].length > MAX_KEY_ID_LENGTH))
    return `its kid is no string of up to ${MAX_KEY_ID_LENGTH} characters`;
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return 'its use is not sig';
  const operations = jwk['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'its key_ops lack verify';
  if (jwk['kty'] === 'oct') return symmetric ? undefined : 'it is a shared secret, which nobody may publish';
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name)))
    return 'it is a private key; whoever published it must replace it';
  if (jwk['kty'] !== 'RSA') return undefined;
  const bytes = typeof jwk['n'] === 'string' ? Buffer.from(jwk['n'], 'base64url').length : 0;
  return bytes >= MIN_RSA_BYTES && bytes <= MAX_RSA_BYTES
    ? undefined
    : `its modulus has ${bytes * 8} bits, not ${MIN_RSA_BYTES * 8} to ${MAX_RSA_BYTES * 8}`;
}

/** Algorithms that fit a key's type; the one that it names, where it names one. */
function algorithmsOf(jwk: Jwk): readonly JwtAlgorithm[] {
  const fitting = byType(jwk);
  const { alg } = jwk as { readonly alg?: unknown };
  return alg === undefined ? fitting : fitting.filter((algorithm) => algorithm === alg);
}

function byType({ kty, crv, k }: Jwk): readonly JwtAlgorithm[] {
  const startingWith = (...starts: readonly string[]): readonly JwtAlgorithm[] =>
    JWT_ALGORITHMS.filter((algorithm) => starts.some((start) => algorithm.startsWith(start)));
  if (kty === 'RSA') return startingWith('RS', 'PS');
  // RFC 7518 §3.2: a secret is at least as long as the hash.
  if (kty === 'oct') {
    const bits = typeof k === 'string' ? Buffer.from(k, 'base64url').length * 8 : 0;
    return startingWith('HS').filter((algorithm) => bits >= Number(algorithm.slice(2)));
  }
  if (kty !== 'EC' && kty !== 'OKP') return [];
  return typeof crv === 'string' && Object.hasOwn(CURVES, crv) && (crv === 'Ed25519') === (kty === 'OKP')
    ? (CURVES[crv] as readonly JwtAlgorithm[])
    : [];
}
