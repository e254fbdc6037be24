import { randomBytes } from 'node:crypto';
import type { TrustBundle } from '@tulle/model';
import { certificatesOfPem, publicKeyPin } from '@tulle/spiffe';
import type { Clock } from '@tulle/time';
import type { CaPublication } from './ca.ts';
import type { CaEvent } from './ca-events.ts';
import {
  dropUnusedKeys,
  loadAuthority,
  loadState,
  mintAuthority,
  saveState,
  type CaState,
  type RootRotation,
  type StoredAuthority,
} from './ca-state.ts';
import { crossSign, leafSigner, type LeafSigner } from './certificates.ts';
import { CaError } from './errors.ts';
import { expiryAlarm, type Life } from './expiry-alarm.ts';
import type { SecretStore } from './store.ts';

/** Lifetimes of a CA, in milliseconds. */
export interface Lifetimes {
  readonly rootMs: number;
  readonly issuerMs: number;
  readonly leafMs: number;
  /** Certificates begin this much early, and are believed this much late. */
  readonly skewMs: number;
}

/** The issuer in use, ready to sign. */
export interface ReadySigner {
  readonly issuer: StoredAuthority;
  readonly leaf: LeafSigner;
  /** What travels behind a leaf: the issuer, and during a change of roots the new root as certified by the old one. */
  readonly chainDer: readonly Buffer[];
}

export interface AuthoritiesOptions {
  readonly store: SecretStore;
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly lifetimes: Lifetimes;
  readonly report: (event: CaEvent) => void;
  /** How many holders of valid certificates have not confirmed this generation of the bundle. */
  readonly unconfirmed: (generation: number) => number;
  /** Whether somebody may still join with a token that pins this root. */
  readonly awaited: (rootPin: string) => Promise<boolean>;
  /** Looked at from time to time, beside the authorities' own affairs. */
  readonly sweep: () => Promise<void>;
}

/** Roots and issuers of one trust domain, and their changes. Each change is on disk before anybody hears of it. */
export interface Authorities {
  readonly state: CaState;
  /** The root that signs issuers now. */
  readonly signingRoot: StoredAuthority;
  published(): CaPublication;
  subscribe(fn: (publication: CaPublication) => void): () => void;
  signer(): Promise<ReadySigner>;
  rotateIssuer(): Promise<void>;
  rotateLeaves(): Promise<void>;
  rotateRoot(): Promise<void>;
  switchRoot(): Promise<void>;
  removeOldRoot(): Promise<void>;
  abandonRootRotation(): Promise<void>;
  /** Takes the rotation's next step if nothing stands against it. */
  proceed(): void;
  close(): Promise<void>;
}

/** The longest wait of the timer: a machine that slept is noticed within it. */
const longestWaitMs = 6 * 3_600_000;
/** What failed or could not be done yet is tried again after so long. */
const retryMs = 60_000;

const last = (list: readonly StoredAuthority[]): StoredAuthority => {
  const found = list.at(-1);
  if (found === undefined) throw new Error('a CA has at least one root and one issuer');
  return found;
};

/** @throws {StoreError} when the store's content cannot be used */
export async function openAuthorities(options: AuthoritiesOptions): Promise<Authorities> {
  const { store, clock, trustDomain, lifetimes, report } = options;

  const mintRoot = (nowMs: number): ReturnType<typeof mintAuthority> =>
    mintAuthority(store, {
      trustDomain,
      // Unlike any root before it, so that a chain tells which one it means.
      commonName: `${trustDomain} root ${randomBytes(4).toString('hex')}`,
      notBeforeMs: nowMs - lifetimes.skewMs,
      notAfterMs: nowMs + lifetimes.rootMs,
      // An issuer, and above it the root that comes next, as this one certifies it during the change.
      pathLength: 2,
    });
  const mintIssuer = async (root: StoredAuthority, nowMs: number): Promise<{ stored: StoredAuthority }> =>
    mintAuthority(store, {
      trustDomain,
      commonName: `${trustDomain} issuer`,
      notBeforeMs: nowMs - lifetimes.skewMs,
      notAfterMs: Math.min(nowMs + lifetimes.issuerMs, root.notAfterMs),
      pathLength: 0,
      parent: await loadAuthority(store, root),
    });

  const found = await loadState(store, trustDomain);
  let state: CaState;
  if (found !== undefined) state = found;
  else {
    const nowMs = clock.epochMs();
    const root = await mintRoot(nowMs);
    const issuer = await mintIssuer(root.stored, nowMs);
    state = {
      version: 1,
      trustDomain,
      generation: 1,
      leafEpoch: 1,
      roots: [root.stored],
      issuers: [issuer.stored],
    };
    await saveState(store, state);
  }
  await dropUnusedKeys(store, state);

  const subscribers = new Set<(publication: CaPublication) => void>();
  let signer: ReadySigner | undefined;
  let closed = false;

  // Changes run one after the other; each writes the new state before anybody sees it.
  let tail: Promise<unknown> = Promise.resolve();
  const exclusive = <T>(change: () => Promise<T>): Promise<T> => {
    const run = tail.then(change);
    tail = run.catch(() => undefined);
    return run;
  };
  const adopt = async (next: CaState): Promise<void> => {
    await saveState(store, next);
    state = next;
    signer = undefined;
    await dropUnusedKeys(store, state);
    for (const fn of [...subscribers]) fn(published());
    armTimer();
  };
  const published = (): CaPublication => {
    const rootsPem = state.roots.map((root) => root.certificatePem);
    const own: TrustBundle = { trustDomain, rootsPem, generation: state.generation };
    return { bundles: [own], leafEpoch: state.leafEpoch };
  };
  const rootOf = (id: string): StoredAuthority => {
    const root = state.roots.find((one) => one.id === id);
    if (root === undefined) throw new Error(`the root ${id} is not believed any more`);
    return root;
  };
  const signingRoot = (): StoredAuthority =>
    state.rootRotation?.phase === 'distributing' ? rootOf(state.rootRotation.fromRootId) : last(state.roots);

  /** The issuers that are not over, with a new one below `root`. */
  const withIssuer = async (root: StoredAuthority): Promise<readonly StoredAuthority[]> => {
    const nowMs = clock.epochMs();
    const { stored } = await mintIssuer(root, nowMs);
    return [...state.issuers.filter((issuer) => issuer.notAfterMs + lifetimes.skewMs > nowMs), stored];
  };
  const tellIssuer = (): void => {
    const { id: issuerId, notAfterMs } = last(state.issuers);
    report({ kind: 'issuer-rotated', issuerId, notAfterMs });
  };
  const nextIssuer = async (newEpoch: boolean): Promise<void> => {
    const issuers = await withIssuer(signingRoot());
    await adopt({ ...state, issuers, leafEpoch: state.leafEpoch + (newEpoch ? 1 : 0) });
    tellIssuer();
  };

  /** When the issuer in use must have a successor: with a third of its life left, but never with less than two leaf lives. */
  const issuerDueMs = (): number =>
    last(state.issuers).notAfterMs - Math.max(lifetimes.issuerMs / 3, 2 * lifetimes.leafMs);
  const issuerIsDue = (): boolean => {
    // Below a root that ends first a new issuer would end no later than this one.
    const gain =
      Math.min(clock.epochMs() + lifetimes.issuerMs, signingRoot().notAfterMs) -
      last(state.issuers).notAfterMs;
    return clock.epochMs() >= issuerDueMs() && gain > lifetimes.leafMs;
  };
  const refreshIssuer = (): Promise<void> =>
    exclusive(async () => (issuerIsDue() ? nextIssuer(false) : undefined));

  const rotation = (phase: RootRotation['phase']): RootRotation => {
    const running = state.rootRotation;
    if (running === undefined)
      throw new CaError('no-rotation', 'no root is being rotated; begin with rotate-root');
    if (running.phase !== phase)
      throw new CaError(
        'rotation-running',
        running.phase === 'distributing'
          ? 'the new root is still being distributed; it does not sign yet'
          : 'the new root signs already; the old one will be removed',
      );
    return running;
  };
  const tellRotation = (
    phase: 'distributing' | 'overlapping' | 'finished' | 'abandoned',
    rootId: string,
  ): void => report({ kind: 'root-rotation', phase, rootId });

  const beginRotation = async (): Promise<void> => {
    if (state.rootRotation !== undefined)
      throw new CaError('rotation-running', 'a root is being rotated already; look at the status of the CA');
    const nowMs = clock.epochMs();
    const from = last(state.roots);
    const to = await mintRoot(nowMs);
    const crossPem = await crossSign(await loadAuthority(store, from), to.authority, {
      trustDomain,
      notBeforeMs: nowMs - lifetimes.skewMs,
      notAfterMs: Math.min(from.notAfterMs, to.stored.notAfterMs),
    });
    const generation = state.generation + 1;
    await adopt({
      ...state,
      generation,
      roots: [from, to.stored],
      rootRotation: {
        phase: 'distributing',
        fromRootId: from.id,
        toRootId: to.stored.id,
        generation,
        startedMs: nowMs,
        switchedMs: 0,
        switchedEpoch: 0,
        removeAtMs: 0,
        ...(crossPem === undefined ? {} : { crossPem }),
      },
    });
    tellRotation('distributing', to.stored.id);
  };
  const switchIssuer = async (): Promise<void> => {
    const running = rotation('distributing');
    const issuers = await withIssuer(rootOf(running.toRootId));
    const switchedMs = clock.epochMs();
    const switchedEpoch = state.leafEpoch + 1;
    await adopt({
      ...state,
      issuers,
      leafEpoch: switchedEpoch,
      // By then every certificate below the old root has ended, for peers whose clocks are behind too.
      rootRotation: {
        ...running,
        phase: 'overlapping',
        switchedMs,
        switchedEpoch,
        removeAtMs: switchedMs + lifetimes.leafMs + 2 * lifetimes.skewMs,
      },
    });
    tellIssuer();
    tellRotation('overlapping', running.toRootId);
  };
  const endRotation = async (keep: 'new' | 'old'): Promise<void> => {
    const { fromRootId, toRootId } = rotation(keep === 'new' ? 'overlapping' : 'distributing');
    const kept = rootOf(keep === 'new' ? toRootId : fromRootId);
    const { rootRotation: _, ...rest } = state;
    await adopt({ ...rest, roots: [kept], generation: state.generation + 1 });
    tellRotation(keep === 'new' ? 'finished' : 'abandoned', toRootId);
  };

  const step = async (): Promise<void> => {
    const running = state.rootRotation;
    if (running === undefined || closed) return;
    if (running.phase === 'distributing') {
      if (options.unconfirmed(running.generation) === 0) await switchIssuer();
    } else if (
      clock.epochMs() >= running.removeAtMs &&
      !(await options.awaited(publicKeyPin(rootOf(running.fromRootId).certificatePem)))
    ) {
      await endRotation('new');
    }
  };
  const failed = (error: unknown): void =>
    report({ kind: 'rotation-failed', detail: error instanceof Error ? error.message : String(error) });
  let proceeding = false;
  const proceed = (): void => {
    if (proceeding || state.rootRotation === undefined) return;
    proceeding = true;
    exclusive(async () => {
      proceeding = false;
      await step();
    }).catch(failed);
  };

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
      const used = authority === 'root' ? signingRoot() : last(state.issuers);
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
    const nowMs = clock.epochMs();
    const inMs = (atMs: number): number => (atMs > nowMs ? atMs - nowMs : retryMs);
    const { rootRotation } = state;
    const rotationMs =
      rootRotation === undefined
        ? Infinity
        : rootRotation.phase === 'overlapping'
          ? inMs(rootRotation.removeAtMs)
          : // Holders that are gone end with their certificates, which nobody tells.
            Math.min(retryMs, lifetimes.leafMs / 4);
    // An issuer that is due and still here: the root is too short or the store failed. Signing looks too.
    const waitMs = Math.min(longestWaitMs, inMs(issuerDueMs()), soundAlarms() - nowMs, rotationMs);
    cancelTimer = clock.setTimer(waitMs, () => {
      refreshIssuer()
        .then(() => exclusive(step))
        .then(options.sweep)
        .catch(failed)
        .finally(armTimer);
    });
  };

  armTimer();
  return {
    get state() {
      return state;
    },
    get signingRoot() {
      return signingRoot();
    },
    published,
    subscribe(fn) {
      const own = (publication: CaPublication): void => fn(publication);
      subscribers.add(own);
      return () => void subscribers.delete(own);
    },
    async signer() {
      if (issuerIsDue()) await refreshIssuer();
      // Exclusive, because a rotation deletes the key of the issuer before it.
      return signer ?? exclusive(async () => (signer ??= await readySigner(store, state)));
    },
    rotateIssuer: () => exclusive(() => nextIssuer(true)),
    rotateLeaves: () =>
      exclusive(async () => {
        await adopt({ ...state, leafEpoch: state.leafEpoch + 1 });
        report({ kind: 'leaves-rotated', leafEpoch: state.leafEpoch });
      }),
    rotateRoot: () => exclusive(beginRotation).then(proceed),
    switchRoot: () => exclusive(switchIssuer),
    removeOldRoot: () => exclusive(() => endRotation('new')),
    abandonRootRotation: () => exclusive(() => endRotation('old')),
    proceed,
    async close() {
      closed = true;
      cancelTimer();
      await tail;
    },
  };
}

async function readySigner(store: SecretStore, state: CaState): Promise<ReadySigner> {
  const issuer = last(state.issuers);
  const { rootRotation } = state;
  const between = rootRotation?.phase === 'overlapping' ? (rootRotation.crossPem ?? '') : '';
  return {
    issuer,
    leaf: await leafSigner(await loadAuthority(store, issuer)),
    chainDer: [issuer.certificatePem, between].flatMap(certificatesOfPem),
  };
}
