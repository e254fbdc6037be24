import type { TrustBundle } from '@tulle/model';
import {
  certificatesOfPem,
  controlPlaneId,
  parseSpiffeId,
  publicKeyPin,
  readCsr,
  toPem,
  trustDomainFault,
  workloadId,
  SpiffeIdError,
} from '@tulle/spiffe';
import { systemClock, type Clock } from '@tulle/time';
import {
  dropUnusedKeys,
  loadAuthority,
  loadState,
  mintAuthority,
  saveState,
  type CaState,
  type StoredAuthority,
} from './ca-state.ts';
import type { CaEvent, IssueKind } from './ca-events.ts';
import { leafSigner, validityOf, type LeafSigner } from './certificates.ts';
import { judgeCsr } from './csr-policy.ts';
import { CaError } from './errors.ts';
import { expiryAlarm, type Life } from './expiry-alarm.ts';
import { joinTokens, type JoinToken, type JoinTokenRequest } from './join-tokens.ts';
import type { SecretStore } from './store.ts';

const dayMs = 24 * 3_600_000;

export interface CaOptions {
  readonly trustDomain: string;
  /** `directoryStore(path)`, or `memoryStore()` where identities need not outlive the process. */
  readonly store: SecretStore;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default 10 years: replacing a root touches every peer, so it is a planned act. */
  readonly rootLifetimeMs?: number;
  /** Default 90 days; a new issuer is made when a third of it is left, so a CA that was off for weeks still has one. */
  readonly issuerLifetimeMs?: number;
  /** Default 24 h, the field's usual value: short enough that revocation is seldom needed. At least 10 s. */
  readonly leafLifetimeMs?: number;
  /** Certificates begin this much before they are issued, for peers whose clocks are behind. Default 20 000 ms. */
  readonly clockSkewMs?: number;
  /** Join tokens remembered, unspent and lately spent; default 10 000 (about 200 bytes each). Past it no token is made. */
  readonly maxTokens?: number;
  /** Called for everything an auditor or a metric wants to know. Must not throw. */
  readonly onEvent?: (event: CaEvent) => void;
}

/** A certificate that was just issued, with what its holder must believe. */
export interface IssuedSvid {
  readonly spiffeId: string;
  /** Leaf, then issuer. */
  readonly certificateChainDer: readonly Buffer[];
  readonly certificateChainPem: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly leafEpoch: number;
  readonly bundles: readonly TrustBundle[];
}

/** What a CA publishes to everybody whom it certified. */
export interface CaPublication {
  readonly bundles: readonly TrustBundle[];
  readonly leafEpoch: number;
}

export interface CaStatus {
  readonly trustDomain: string;
  readonly generation: number;
  readonly leafEpoch: number;
  readonly roots: readonly Omit<StoredAuthority, 'certificatePem'>[];
  /** The last is the one in use. */
  readonly issuers: readonly Omit<StoredAuthority, 'certificatePem'>[];
}

/** Where a request came from, for the log. */
export interface CallerAddress {
  /** `address:port`. */
  readonly peer: string;
}

/** A SPIFFE CA for one trust domain: a root, an issuer below it, and leaves made from attestations. */
export interface Ca {
  readonly trustDomain: string;
  /** SHA-256 of the signing root's public key, base64url: what join tokens carry. */
  readonly rootPin: string;
  published(): CaPublication;
  /** Called after each change of bundles or leaf epoch. Returns the end of it. */
  subscribe(fn: (publication: CaPublication) => void): () => void;
  /** @throws {CaError} `reserved-identity` for the control plane's own id, `too-many-tokens`. */
  createJoinToken(request: JoinTokenRequest): Promise<JoinToken>;
  revokeJoinToken(id: string): Promise<boolean>;
  /** First certificate, for whoever holds a join token. @throws {CaError} */
  attest(joinToken: string, csrDer: Uint8Array, from?: CallerAddress): Promise<IssuedSvid>;
  /** Next certificate, for whoever proved `callerId` over mutual TLS. @throws {CaError} */
  renew(callerId: string, csrDer: Uint8Array, from?: CallerAddress): Promise<IssuedSvid>;
  /** A certificate for this process itself (the control plane, a test). Reachable in code only, never over the network. @throws {CaError} */
  issueLocal(spiffeId: string, csrDer: Uint8Array): Promise<IssuedSvid>;
  /** Makes a new issuer, signs with it from now on, and has every leaf renewed. Old leaves stay valid until they expire. */
  rotateIssuer(): Promise<void>;
  /** Has every leaf renewed now. */
  rotateLeaves(): Promise<void>;
  status(): CaStatus;
  /** Stops the timer. Nothing needs flushing. */
  close(): void;
}

/**
 * Opens the CA that the store holds, or makes a new one in an empty store.
 * @throws {StoreError} when the store's content cannot be used; {RangeError} for lifetimes that do not fit together.
 */
export async function createCa(options: CaOptions): Promise<Ca> {
  const { trustDomain, store } = options;
  const clock = options.clock ?? systemClock();
  const rootLifetimeMs = options.rootLifetimeMs ?? 3650 * dayMs;
  const issuerLifetimeMs = options.issuerLifetimeMs ?? 90 * dayMs;
  const leafLifetimeMs = options.leafLifetimeMs ?? dayMs;
  const skewMs = options.clockSkewMs ?? 20_000;
  const report = options.onEvent ?? ((): void => undefined);
  const fault = trustDomainFault(trustDomain);
  if (fault !== undefined) throw new SpiffeIdError(`trustDomain ${JSON.stringify(trustDomain)}: ${fault}`);
  if (leafLifetimeMs < 10_000)
    throw new RangeError(
      `leafLifetimeMs is ${leafLifetimeMs}; at least 10000 (10 s), so that a leaf can be renewed in time`,
    );
  if (issuerLifetimeMs < 3 * leafLifetimeMs)
    throw new RangeError(
      `issuerLifetimeMs is ${issuerLifetimeMs}; at least three leaf lifetimes (${3 * leafLifetimeMs}), so that issuers overlap`,
    );
  if (rootLifetimeMs < issuerLifetimeMs)
    throw new RangeError(`rootLifetimeMs is ${rootLifetimeMs}; at least the issuer's ${issuerLifetimeMs}`);

  const mintIssuer = async (root: StoredAuthority, nowMs: number): ReturnType<typeof mintAuthority> =>
    mintAuthority(store, {
      trustDomain,
      commonName: `${trustDomain} issuer`,
      notBeforeMs: nowMs - skewMs,
      notAfterMs: Math.min(nowMs + issuerLifetimeMs, root.notAfterMs),
      pathLength: 0,
      parent: await loadAuthority(store, root),
    });

  const create = async (): Promise<CaState> => {
    const nowMs = clock.epochMs();
    const root = await mintAuthority(store, {
      trustDomain,
      commonName: `${trustDomain} root`,
      notBeforeMs: nowMs - skewMs,
      notAfterMs: nowMs + rootLifetimeMs,
      pathLength: 1,
    });
    const issuer = await mintIssuer(root.stored, nowMs);
    const fresh: CaState = {
      version: 1,
      trustDomain,
      generation: 1,
      leafEpoch: 1,
      roots: [root.stored],
      issuers: [issuer.stored],
    };
    await saveState(store, fresh);
    return fresh;
  };

  let state = (await loadState(store, trustDomain)) ?? (await create());
  await dropUnusedKeys(store, state);
  const tokens = joinTokens({
    store,
    trustDomain,
    epochMs: () => clock.epochMs(),
    maxTokens: options.maxTokens ?? 10_000,
  });
  const subscribers = new Set<(publication: CaPublication) => void>();
  const lastOf = (list: readonly StoredAuthority[]): StoredAuthority => {
    const last = list.at(-1);
    if (last === undefined) throw new Error('a CA has at least one root and one issuer');
    return last;
  };
  let signer:
    | { readonly issuer: StoredAuthority; readonly leaf: LeafSigner; readonly issuerDer: Buffer }
    | undefined;
  let closed = false;

  // Changes of state run one after the other; each writes the new state before anybody sees it.
  let tail: Promise<unknown> = Promise.resolve();
  const exclusive = <T>(change: () => Promise<T>): Promise<T> => {
    const run = tail.then(change);
    tail = run.catch(() => undefined);
    return run;
  };
  const adopt = async (next: CaState): Promise<void> => {
    await saveState(store, next);
    state = next;
    for (const fn of [...subscribers]) fn(published());
  };
  const published = (): CaPublication => ({
    bundles: [
      { trustDomain, rootsPem: state.roots.map((root) => root.certificatePem), generation: state.generation },
    ],
    leafEpoch: state.leafEpoch,
  });

  const nextIssuer = async (newEpoch: boolean): Promise<void> => {
    const nowMs = clock.epochMs();
    const { stored } = await mintIssuer(lastOf(state.roots), nowMs);
    const issuers = [...state.issuers.filter((issuer) => issuer.notAfterMs + skewMs > nowMs), stored];
    await adopt({ ...state, issuers, leafEpoch: state.leafEpoch + (newEpoch ? 1 : 0) });
    await dropUnusedKeys(store, state);
    report({ kind: 'issuer-rotated', issuerId: stored.id, notAfterMs: stored.notAfterMs });
    armTimer();
  };

  /** When the issuer in use must have a successor: with a third of its life left, but never with less than two leaf lives. */
  const issuerDueMs = (): number =>
    lastOf(state.issuers).notAfterMs - Math.max(issuerLifetimeMs / 3, 2 * leafLifetimeMs);
  const issuerIsDue = (): boolean => {
    // Below a root that ends first a new issuer would end no later than this one.
    const gain =
      Math.min(clock.epochMs() + issuerLifetimeMs, lastOf(state.roots).notAfterMs) -
      lastOf(state.issuers).notAfterMs;
    return clock.epochMs() >= issuerDueMs() && gain > leafLifetimeMs;
  };
  const refreshIssuer = (): Promise<void> =>
    exclusive(async () => (issuerIsDue() ? nextIssuer(false) : undefined));

  const alarms = { root: expiryAlarm(), issuer: expiryAlarm() } as const;
  const lifeOf = ({ id, notBeforeMs, notAfterMs }: StoredAuthority): Life => ({
    id,
    fromMs: notBeforeMs,
    untilMs: notAfterMs,
  });
  /** Tells of shares that are over. @returns when the next will be */
  const soundAlarms = (): number => {
    let nextMs = Infinity;
    for (const authority of ['root', 'issuer'] as const) {
      const used = lastOf(authority === 'root' ? state.roots : state.issuers);
      const life = lifeOf(used);
      const share = alarms[authority].passed(life, clock.epochMs());
      if (share !== undefined)
        report({ kind: 'expiring', authority, id: used.id, share, notAfterMs: used.notAfterMs });
      nextMs = Math.min(nextMs, alarms[authority].nextAtMs(life));
    }
    return nextMs;
  };

  let cancelTimer = (): void => undefined;
  const armTimer = (): void => {
    cancelTimer();
    if (closed) return;
    const alarmInMs = soundAlarms() - clock.epochMs();
    const dueInMs = issuerDueMs() - clock.epochMs();
    // In steps of six hours, so that a machine that slept is noticed. Due and still here: the root is too short or the
    // store failed, both worth a look every hour; signing looks too.
    const waitMs = Math.min(dueInMs > 0 ? Math.min(dueInMs, 6 * 3_600_000) : 3_600_000, alarmInMs);
    cancelTimer = clock.setTimer(waitMs, () => {
      refreshIssuer()
        .then(() => tokens.sweep())
        .catch((error: unknown) =>
          report({ kind: 'rotation-failed', detail: error instanceof Error ? error.message : String(error) }),
        )
        .finally(armTimer);
    });
  };

  const currentSigner = async (): Promise<NonNullable<typeof signer>> => {
    if (issuerIsDue()) await refreshIssuer();
    if (signer !== undefined && signer.issuer.id === lastOf(state.issuers).id) return signer;
    // Exclusive, because a rotation deletes the key of the issuer before it.
    return exclusive(async () => {
      const issuer = lastOf(state.issuers);
      if (signer?.issuer.id === issuer.id) return signer;
      const [issuerDer] = certificatesOfPem(issuer.certificatePem);
      if (issuerDer === undefined) throw new Error(`the issuer ${issuer.id} has no certificate`);
      signer = { issuer, leaf: await leafSigner(await loadAuthority(store, issuer)), issuerDer };
      return signer;
    });
  };

  const sign = async (
    how: IssueKind,
    spiffeId: string,
    spki: Buffer,
    from?: CallerAddress,
  ): Promise<IssuedSvid> => {
    // Taken first: a leaf that a rotation overtakes carries the old epoch and is renewed once more.
    const { leafEpoch } = state;
    const { issuer, leaf, issuerDer } = await currentSigner();
    const nowMs = clock.epochMs();
    const notAfterMs = nowMs + leafLifetimeMs;
    if (notAfterMs > issuer.notAfterMs)
      throw new CaError(
        'issuer-too-short',
        `a leaf until ${new Date(notAfterMs).toISOString()} would outlive its issuer (${new Date(issuer.notAfterMs).toISOString()}); the root ends soon and must be replaced`,
      );
    const der = await leaf.sign({ spiffeId, spki, notBeforeMs: nowMs - skewMs, notAfterMs });
    const validity = validityOf(der);
    const { serial, notAfterMs: untilMs } = validity;
    report({ kind: 'issued', how, spiffeId, serial, notAfterMs: untilMs, ...from });
    return {
      spiffeId,
      certificateChainDer: [der, issuerDer],
      certificateChainPem: toPem('CERTIFICATE', der) + toPem('CERTIFICATE', issuerDer),
      ...validity,
      leafEpoch,
      bundles: published().bundles,
    };
  };

  const reported = async <T>(
    how: IssueKind,
    csrDer: Uint8Array,
    from: CallerAddress | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CaError) {
        const askedId = namedIn(csrDer);
        const { reason, message: detail } = error;
        report({
          kind: 'refused',
          how,
          reason,
          detail,
          ...(askedId === undefined ? {} : { askedId }),
          ...from,
        });
      }
      throw error;
    }
  };
  const inDomain = (spiffeId: string): string => {
    const id = parseSpiffeId(spiffeId);
    if (id.trustDomain !== trustDomain || id.path === '')
      throw new CaError(
        'foreign-identity',
        `${spiffeId} is no workload of the trust domain ${trustDomain}, which is all this CA may certify`,
      );
    return id.text;
  };

  armTimer();
  return {
    trustDomain,
    get rootPin() {
      return publicKeyPin(lastOf(state.roots).certificatePem);
    },
    published,
    subscribe(fn) {
      const own = (publication: CaPublication): void => fn(publication);
      subscribers.add(own);
      return () => void subscribers.delete(own);
    },
    async createJoinToken(request) {
      const { namespace, serviceAccount } = request;
      const spiffeId = workloadId({ trustDomain, namespace, serviceAccount });
      if (spiffeId === controlPlaneId(trustDomain))
        throw new CaError(
          'reserved-identity',
          `${spiffeId} is the control plane's own identity; no workload may join as it`,
        );
      const token = await tokens.create(request, publicKeyPin(lastOf(state.roots).certificatePem));
      report({ kind: 'token-created', id: token.id, spiffeId: token.spiffeId });
      return token;
    },
    async revokeJoinToken(id) {
      const revoked = await tokens.revoke(id);
      if (revoked) report({ kind: 'token-revoked', id });
      return revoked;
    },
    attest: (joinToken, csrDer, from) =>
      reported('attest', csrDer, from, async () => {
        const token = await tokens.check(joinToken);
        const csr = judgeCsr(csrDer, token.record.spiffeId);
        await tokens.spend(token, publicKeyPin(csr.spki));
        return sign('attest', token.record.spiffeId, csr.spki, from);
      }),
    renew: (callerId, csrDer, from) =>
      reported('renew', csrDer, from, async () =>
        sign('renew', callerId, judgeCsr(csrDer, inDomain(callerId)).spki, from),
      ),
    issueLocal: (spiffeId, csrDer) =>
      reported('local', csrDer, undefined, async () =>
        sign('local', spiffeId, judgeCsr(csrDer, inDomain(spiffeId)).spki),
      ),
    rotateIssuer: () => exclusive(() => nextIssuer(true)),
    rotateLeaves: () =>
      exclusive(async () => {
        await adopt({ ...state, leafEpoch: state.leafEpoch + 1 });
        report({ kind: 'leaves-rotated', leafEpoch: state.leafEpoch });
      }),
    status() {
      const bare = ({
        id,
        notBeforeMs,
        notAfterMs,
      }: StoredAuthority): Omit<StoredAuthority, 'certificatePem'> => ({ id, notBeforeMs, notAfterMs });
      return {
        trustDomain,
        generation: state.generation,
        leafEpoch: state.leafEpoch,
        roots: state.roots.map(bare),
        issuers: state.issuers.map(bare),
      };
    },
    close() {
      closed = true;
      cancelTimer();
    },
  };
}

/** The id that a request asks for, as far as it can be read. */
function namedIn(csrDer: Uint8Array): string | undefined {
  try {
    return readCsr(Buffer.from(csrDer.buffer, csrDer.byteOffset, csrDer.byteLength)).uriSans[0]?.slice(
      0,
      200,
    );
  } catch {
    return undefined;
  }
}
