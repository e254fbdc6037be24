import { authorityId, makeAuthority, type Authority } from './certificates.ts';
import { StoreError } from './errors.ts';
import type { SecretStore } from './store.ts';

/** A CA certificate that the CA knows. The key of a retired issuer is deleted: nothing more is signed with it. */
export interface StoredAuthority {
  readonly id: string;
  readonly certificatePem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A root on its way out, and the one that follows it. */
export interface RootRotation {
  /**
   * `distributing`: both are believed, the old one signs; until everybody has confirmed the new one. `overlapping`: both
   * are believed, the new one signs; until no certificate below the old one is valid.
   */
  readonly phase: 'distributing' | 'overlapping';
  readonly fromRootId: string;
  readonly toRootId: string;
  /** Of the bundle with both. */
  readonly generation: number;
  readonly startedMs: number;
  /** When the new root began to sign; 0 before. */
  readonly switchedMs: number;
  /** Of the first leaves below the new root; 0 before. */
  readonly switchedEpoch: number;
  /** When the old root may go; 0 before it is known. */
  readonly removeAtMs: number;
  /** The new root as certified by the old: whoever believes only the old one can follow. Absent where the old may not. */
  readonly crossPem?: string;
}

/** All that a CA must remember besides keys and tokens. Written as one text, so a change is whole or not there. */
export interface CaState {
  readonly version: 1;
  readonly trustDomain: string;
  /** Of the trust bundle; grows when `roots` changes. */
  readonly generation: number;
  /** Leaves of older epochs are renewed at once. */
  readonly leafEpoch: number;
  /** Believed roots, the newest last. The last signs issuers, save while it is being distributed. */
  readonly roots: readonly StoredAuthority[];
  readonly rootRotation?: RootRotation;
  /** The last signs leaves. The others are kept until they expire, as a record. */
  readonly issuers: readonly StoredAuthority[];
}

const stateName = 'ca.json';
const keyName = (id: string): string => `key-${id}.pem`;

export async function loadState(store: SecretStore, trustDomain: string): Promise<CaState | undefined> {
  const text = await store.read(stateName);
  if (text === undefined) return undefined;
  let state: CaState;
  try {
    state = JSON.parse(text) as CaState;
  } catch (error) {
    throw new StoreError(
      `the CA's ${stateName} is not JSON; restore it from a backup, or start with an empty store and join every workload again`,
      { cause: error },
    );
  }
  if (
    state.version !== 1 ||
    !Array.isArray(state.roots) ||
    !Array.isArray(state.issuers) ||
    state.roots.length === 0 ||
    state.issuers.length === 0
  )
    throw new StoreError(
      `the CA's ${stateName} is of another version or incomplete; restore it from a backup, or use the version of @tulle/ca that wrote it`,
    );
  if (state.trustDomain !== trustDomain)
    throw new StoreError(
      `the CA's store belongs to the trust domain ${JSON.stringify(state.trustDomain)}, not ${JSON.stringify(trustDomain)}; give that trust domain, or another directory`,
    );
  return state;
}

export async function saveState(store: SecretStore, state: CaState): Promise<void> {
  await store.write(stateName, `${JSON.stringify(state, null, 2)}\n`);
}

/** The authority with its key, ready to sign. */
export async function loadAuthority(store: SecretStore, authority: StoredAuthority): Promise<Authority> {
  const privateKeyPem = await store.read(keyName(authority.id));
  if (privateKeyPem === undefined)
    throw new StoreError(
      `the CA's store lacks ${keyName(authority.id)}, the key of an authority in use; restore it from a backup`,
    );
  return { certificatePem: authority.certificatePem, privateKeyPem };
}

/** Makes an authority and stores its key, before any state names it. */
export async function mintAuthority(
  store: SecretStore,
  request: Parameters<typeof makeAuthority>[0],
): Promise<{ stored: StoredAuthority; authority: Authority }> {
  const authority = await makeAuthority(request);
  const id = authorityId(authority.certificatePem);
  await store.write(keyName(id), authority.privateKeyPem);
  const { notBeforeMs, notAfterMs } = request;
  return { authority, stored: { id, certificatePem: authority.certificatePem, notBeforeMs, notAfterMs } };
}

/** Deletes keys that no state names: of retired issuers, and of a rotation that a crash cut short. */
export async function dropUnusedKeys(store: SecretStore, state: CaState): Promise<void> {
  const used = new Set(
    [...state.roots, ...state.issuers.slice(-1)].map((authority) => keyName(authority.id)),
  );
  for (const name of await store.list())
    if (/^key-[0-9a-f]{16}\.pem$/.test(name) && !used.has(name)) await store.remove(name);
}
