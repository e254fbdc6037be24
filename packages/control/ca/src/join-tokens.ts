import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { workloadId } from '@tulle/spiffe';
import { CaError } from './errors.ts';
import { grantOf, labelsFault, type LabelGrant } from './labels.ts';
import type { SecretStore } from './store.ts';

/**
 * A join token: `tulle-join-1.<id>.<secret>.<pin>`. The secret proves the holder to the CA, the pin (SHA-256 of the
 * root's public key) proves the CA to the holder on first contact.
 */
export interface ParsedJoinToken {
  readonly id: string;
  readonly secret: Buffer;
  readonly pin: string;
}

export interface JoinToken {
  /** What the workload is started with. Shown once; only its hash is kept. */
  readonly token: string;
  /** Names the token in logs and for `revoke`; no secret. */
  readonly id: string;
  readonly spiffeId: string;
  /** Labels that its user may claim. */
  readonly labels: LabelGrant;
  readonly expiresAtMs: number;
}

/** A token as it is known to the CA; its secret is not. */
export interface KnownJoinToken extends Omit<JoinToken, 'token'> {
  readonly createdAtMs: number;
  readonly state: 'unused' | 'used' | 'revoked' | 'expired';
}

export interface JoinTokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /**
   * Labels that the workload may claim, so that Services select it by them; `'*'`: any. Default none: then it is an
   * endpoint only of Services that name its service account (docs/decisions/007).
   */
  readonly labels?: Readonly<Record<string, string>> | '*';
  /** Default 1 h: long enough to carry it to a machine that is still being built, short enough that a forgotten one is worthless. At most 24 h. */
  readonly lifetimeMs?: number;
}

/** What is kept of a token. */
interface TokenRecord {
  readonly secretHash: string;
  readonly spiffeId: string;
  readonly labels: LabelGrant;
  /** Hash of the root key that it pins. */
  readonly pin: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** The public key that spent it. The same key may ask again, so a lost answer does not cost the token. */
  readonly spentBy?: string;
}

const prefix = 'tulle-join-1';
const pattern = new RegExp(`^${prefix}\\.([0-9a-f]{16})\\.([A-Za-z0-9_-]{43})\\.([A-Za-z0-9_-]{43})$`);
const maxLifetimeMs = 24 * 3_600_000;
const defaultLifetimeMs = 3_600_000;
/** Spent and expired records are kept this long, so that a late second use is told apart from a token that never was. */
const keepMs = 24 * 3_600_000;

/** Takes a token apart, or undefined when it has not the form of one. */
export function parseJoinToken(token: string): ParsedJoinToken | undefined {
  const match = pattern.exec(token);
  if (match === null) return undefined;
  const [, id = '', secret = '', pin = ''] = match;
  return { id, secret: Buffer.from(secret, 'base64url'), pin };
}

const hashOf = (secret: Buffer): string => createHash('sha256').update(secret).digest('hex');
/** Instead of a key, in the record of a token that was revoked. */
const nobody = '';
const freshName = (id: string): string => `token-${id}.json`;
const spentName = (id: string): string => `spent-${id}.json`;

export interface JoinTokens {
  create(request: JoinTokenRequest, pin: string): Promise<JoinToken>;
  /** The record behind a token whose secret is right and which has not expired, spent or not. Spends nothing. */
  check(token: string): Promise<CheckedToken>;
  /** Spends a checked token for a public key (its pin). */
  spend(token: CheckedToken, keyPin: string): Promise<void>;
  /** Makes an unspent token worthless; false when there is none of that id. */
  revoke(id: string): Promise<boolean>;
  /** Those that are kept, the newest first. */
  list(): Promise<readonly KnownJoinToken[]>;
  /** Whether an unspent token that has not expired pins this root. */
  pinned(pin: string): Promise<boolean>;
  /** Removes records that are past their use. */
  sweep(): Promise<void>;
}

export interface CheckedToken {
  readonly id: string;
  readonly record: TokenRecord;
}

/** Tokens kept in a store, single use also when two processes share it: spending makes a record that only one of two can make. */
export function joinTokens(options: {
  store: SecretStore;
  trustDomain: string;
  epochMs: () => number;
  maxTokens: number;
}): JoinTokens {
  const { store, epochMs } = options;

  const read = async (name: string): Promise<TokenRecord | undefined> => {
    const text = await store.read(name);
    return text === undefined ? undefined : (JSON.parse(text) as TokenRecord);
  };

  const names = async (): Promise<string[]> =>
    (await store.list()).filter((name) => /^(token|spent)-[0-9a-f]{16}\.json$/.test(name));

  const sweep = async (): Promise<void> => {
    for (const name of await names()) {
      const record = await read(name);
      if (record !== undefined && record.expiresAtMs + keepMs < epochMs()) await store.remove(name);
    }
  };

  return {
    async create(request, pin) {
      const spiffeId = workloadId({
        trustDomain: options.trustDomain,
        namespace: request.namespace,
        serviceAccount: request.serviceAccount,
      });
      const lifetimeMs = request.lifetimeMs ?? defaultLifetimeMs;
      if (!(lifetimeMs > 0 && lifetimeMs <= maxLifetimeMs))
        throw new RangeError(
          `lifetimeMs is ${lifetimeMs}; a join token lives more than 0 and at most ${maxLifetimeMs} ms (24 h)`,
        );
      const fault =
        request.labels === undefined || request.labels === '*' ? undefined : labelsFault(request.labels);
      if (fault !== undefined) throw new RangeError(`labels: ${fault}`);
      if ((await names()).length >= options.maxTokens) {
        await sweep();
        const left = (await names()).length;
        if (left >= options.maxTokens)
          throw new CaError(
            'too-many-tokens',
            `${left} join tokens are outstanding, the limit is ${options.maxTokens}; use or revoke some, or raise maxTokens`,
          );
      }
      const id = randomBytes(8).toString('hex');
      const secret = randomBytes(32);
      const record: TokenRecord = {
        secretHash: hashOf(secret),
        spiffeId,
        labels: grantOf(request.labels),
        pin,
        createdAtMs: epochMs(),
        expiresAtMs: epochMs() + lifetimeMs,
      };
      await store.write(freshName(id), JSON.stringify(record));
      return {
        token: `${prefix}.${id}.${secret.toString('base64url')}.${pin}`,
        id,
        spiffeId,
        labels: record.labels,
        expiresAtMs: record.expiresAtMs,
      };
    },

    async check(token) {
      const parsed = parseJoinToken(token);
      if (parsed === undefined)
        throw new CaError('token-malformed', `the join token has not the form ${prefix}.<id>.<secret>.<pin>`);
      const record = (await read(spentName(parsed.id))) ?? (await read(freshName(parsed.id)));
      // The comparison runs for unknown ids too, so an answer's time tells nothing about which ids exist.
      const offered = createHash('sha256').update(parsed.secret).digest();
      const matches = timingSafeEqual(
        offered,
        record === undefined ? Buffer.alloc(32) : Buffer.from(record.secretHash, 'hex'),
      );
      if (record === undefined)
        throw new CaError('token-unknown', `join token ${parsed.id} is not known here`);
      if (!matches)
        throw new CaError('token-forged', `the secret does not belong to join token ${parsed.id}`);
      if (record.spentBy === nobody)
        throw new CaError('token-revoked', `join token ${parsed.id} for ${record.spiffeId} was revoked`);
      if (epochMs() >= record.expiresAtMs)
        throw new CaError(
          'token-expired',
          `join token ${parsed.id} for ${record.spiffeId} expired at ${new Date(record.expiresAtMs).toISOString()}`,
        );
      return { id: parsed.id, record };
    },

    async spend({ id, record }, keyPin) {
      if (record.spentBy === undefined) {
        const spent = JSON.stringify({ ...record, spentBy: keyPin });
        if (await store.create(spentName(id), spent)) {
          await store.remove(freshName(id));
          return;
        }
      }
      const spent = await read(spentName(id));
      if (spent?.spentBy !== keyPin)
        throw new CaError('token-used', `join token ${id} for ${record.spiffeId} was used before`);
    },

    async revoke(id) {
      if (!/^[0-9a-f]{16}$/.test(id)) return false;
      const record = await read(freshName(id));
      if (record === undefined) return false;
      // Spent for nobody, by the same step as any use: of a use at this moment one of the two wins.
      const revoked = await store.create(spentName(id), JSON.stringify({ ...record, spentBy: nobody }));
      await store.remove(freshName(id));
      return revoked;
    },

    async list() {
      const known = new Map<string, KnownJoinToken>();
      for (const name of (await names()).toSorted()) {
        const record = await read(name);
        if (record === undefined) continue;
        const id = name.slice(-21, -5);
        const { spiffeId, labels, createdAtMs, expiresAtMs, spentBy } = record;
        const late = epochMs() >= expiresAtMs ? 'expired' : 'unused';
        const state = spentBy === undefined ? late : spentBy === nobody ? 'revoked' : 'used';
        // Of a token whose spending a crash cut short both are there; the spent one counts, and sorts first.
        if (!known.has(id)) known.set(id, { id, spiffeId, labels, createdAtMs, expiresAtMs, state });
      }
      return [...known.values()].toSorted((a, b) => b.createdAtMs - a.createdAtMs);
    },

    async pinned(pin) {
      const all = await names();
      for (const name of all) {
        if (!name.startsWith('token-') || all.includes(spentName(name.slice(-21, -5)))) continue;
        const record = await read(name);
        if (record !== undefined && record.pin === pin && epochMs() < record.expiresAtMs) return true;
      }
      return false;
    },

    sweep,
  };
}
