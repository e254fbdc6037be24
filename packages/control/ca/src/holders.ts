import type { Clock } from '@tulle/time';
import { StoreError } from './errors.ts';
import { joinGrants, type LabelGrant } from './labels.ts';
import type { SecretStore } from './store.ts';

/** One instance of a workload that has a certificate of this CA, and what it was attested with. */
export interface Holder {
  readonly id: string;
  readonly spiffeId: string;
  /** Name of the instance for people, as it calls itself. */
  readonly instance: string | undefined;
  readonly labels: LabelGrant;
  /** When its last certificate ends. It is forgotten then. */
  readonly notAfterMs: number;
  /** Generation of the trust bundle that it has confirmed to believe; 0: none yet. */
  readonly bundleGeneration: number;
  /** Epoch of the certificate that it has confirmed to use; 0: none yet. */
  readonly leafEpoch: number;
  /** It hears the CA now. */
  readonly connected: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Kept = Mutable<Omit<Holder, 'connected'>> & { watches: number };

/** Who the caller says it is, beside what its certificate or token proves. */
export interface HolderName {
  /** Chosen at random by the instance, kept over its restarts. Absent: an unknown one of its identity. */
  readonly holderId?: string;
  readonly instance?: string;
}

/** Knows the holders of certificates that are valid, over restarts. */
export interface Holders {
  /** A token was spent: the holder has its labels from now on, also after a crash. */
  attested(name: HolderName, spiffeId: string, labels: LabelGrant, notAfterMs: number): Promise<void>;
  /** It got another certificate. */
  renewed(name: HolderName, spiffeId: string, notAfterMs: number): void;
  /** It believes these roots and uses a certificate of this epoch, which ends at `notAfterMs` at the latest. */
  confirmed(
    name: HolderName,
    spiffeId: string,
    inUse: {
      readonly bundleGeneration: number;
      readonly leafEpoch: number;
      readonly notAfterMs: number;
    },
  ): void;
  /** It began to watch. @returns the end of it */
  watching(name: HolderName, spiffeId: string): () => void;
  /** Those whose certificates are valid. */
  live(): readonly Holder[];
  /** What its holders together may claim; nothing for an identity without any. */
  granted(spiffeId: string): LabelGrant;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
}

const name = 'holders.json';
const idPattern = /^[0-9a-f]{32}$/;
/** Instances of one identity that are told apart; past it, and past `maxHolders`, further ones are one. */
const maxPerIdentity = 5_000;
/** Confirmations and renewals may be lost in a crash without harm, so they are written together. */
const saveDelayMs = 2_000;

/** @throws {StoreError} when the saved holders cannot be read */
export async function openHolders(options: {
  readonly store: SecretStore;
  readonly clock: Clock;
  /** Grace after the end of a certificate, as verifiers give it. */
  readonly skewMs: number;
  readonly maxHolders: number;
  /** Something changed that a rotation may wait for. */
  readonly onChange: () => void;
  readonly onSaveFailed: (error: unknown) => void;
}): Promise<Holders> {
  const { store, clock } = options;
  const byId = new Map<string, Kept>();
  const byIdentity = new Map<string, Set<Kept>>();

  const add = (holder: Kept): Kept => {
    byId.set(holder.id, holder);
    const siblings = byIdentity.get(holder.spiffeId);
    if (siblings === undefined) byIdentity.set(holder.spiffeId, new Set([holder]));
    else siblings.add(holder);
    return holder;
  };
  const drop = (holder: Kept): void => {
    byId.delete(holder.id);
    const siblings = byIdentity.get(holder.spiffeId);
    siblings?.delete(holder);
    if (siblings?.size === 0) byIdentity.delete(holder.spiffeId);
  };
  const isLive = (holder: Kept): boolean => holder.notAfterMs + options.skewMs > clock.epochMs();
  const sweep = (): void => {
    for (const holder of byId.values()) if (!isLive(holder) && holder.watches === 0) drop(holder);
  };

  for (const holder of await load(store)) add({ ...holder, watches: 0 });
  sweep();

  // One write at a time; what changes meanwhile goes into the next, for all who wait together.
  let writing: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  const write = async (): Promise<void> => {
    sweep();
    const holders = [...byId.values()].map((holder) => ({ ...holder, watches: undefined }));
    await store.write(name, `${JSON.stringify({ version: 1, holders })}\n`);
  };
  const save = (): Promise<void> => {
    cancelTimer?.();
    cancelTimer = undefined;
    const start = (): Promise<void> => {
      queued = undefined;
      const done = write().finally(() => {
        if (writing === done) writing = undefined;
      });
      writing = done;
      return done;
    };
    if (writing === undefined) return start();
    queued ??= writing.then(start, start);
    return queued;
  };
  const saveSoon = (): void => {
    cancelTimer ??= clock.setTimer(saveDelayMs, () => {
      cancelTimer = undefined;
      save().catch(options.onSaveFailed);
    });
  };

  const find = ({ holderId, instance }: HolderName, spiffeId: string): Kept => {
    const unknownId = `unknown ${spiffeId}`;
    const wanted = holderId !== undefined && idPattern.test(holderId) ? holderId : unknownId;
    const known = byId.get(wanted);
    if (known?.spiffeId === spiffeId) {
      if (instance !== undefined) known.instance = instance.slice(0, 200);
      return known;
    }
    const full =
      known !== undefined ||
      byId.size >= options.maxHolders ||
      (byIdentity.get(spiffeId)?.size ?? 0) >= maxPerIdentity;
    const id = full ? unknownId : wanted;
    return (
      (id === unknownId ? byId.get(unknownId) : undefined) ??
      add({
        id,
        spiffeId,
        instance: id === unknownId ? undefined : instance?.slice(0, 200),
        labels: {},
        notAfterMs: 0,
        bundleGeneration: 0,
        leafEpoch: 0,
        watches: 0,
      })
    );
  };
  const isUnknown = (holder: Kept): boolean => holder.id.startsWith('unknown ');

  return {
    async attested(who, spiffeId, labels, notAfterMs) {
      const holder = find(who, spiffeId);
      holder.labels = isUnknown(holder) ? joinGrants([holder.labels, labels]) : labels;
      holder.notAfterMs = Math.max(holder.notAfterMs, notAfterMs);
      await save();
    },
    renewed(who, spiffeId, notAfterMs) {
      const holder = find(who, spiffeId);
      holder.notAfterMs = Math.max(holder.notAfterMs, notAfterMs);
      saveSoon();
    },
    confirmed(who, spiffeId, { bundleGeneration, leafEpoch, notAfterMs }) {
      const holder = find(who, spiffeId);
      // One that is not known from its certificates: the record of them was lost.
      if (!isLive(holder)) holder.notAfterMs = notAfterMs;
      // An unknown one stands for several: what one of them confirms says nothing of the others.
      if (isUnknown(holder)) return;
      holder.bundleGeneration = bundleGeneration;
      holder.leafEpoch = leafEpoch;
      saveSoon();
      options.onChange();
    },
    watching(who, spiffeId) {
      const holder = find(who, spiffeId);
      holder.watches++;
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        holder.watches--;
      };
    },
    live() {
      sweep();
      return [...byId.values()].map(({ watches, ...holder }) => ({ ...holder, connected: watches > 0 }));
    },
    granted(spiffeId) {
      const live = [...(byIdentity.get(spiffeId) ?? [])].filter(isLive);
      return joinGrants(live.map((holder) => holder.labels));
    },
    async flush() {
      if (cancelTimer !== undefined) await save();
      await (queued ?? writing);
    },
  };
}

async function load(store: SecretStore): Promise<readonly Omit<Kept, 'watches'>[]> {
  const text = await store.read(name);
  if (text === undefined) return [];
  try {
    const saved = JSON.parse(text) as { version: number; holders: Omit<Kept, 'watches'>[] };
    if (saved.version !== 1 || !Array.isArray(saved.holders)) throw new Error('another version');
    return saved.holders;
  } catch (error) {
    throw new StoreError(
      `the CA's ${name} cannot be read; restore it from a backup, or remove it and join the workloads whose tokens granted labels again`,
      { cause: error },
    );
  }
}
