import { parseSpiffeId } from '@tulle/spiffe';
import { heldFrom, type HeldIdentity } from './identity-keeper.ts';
import { StoreError } from './errors.ts';
import type { SecretStore } from './store.ts';

const name = 'identity.json';

/** An identity as it lies on disk, 0600: with it a restart works while the CA is down, until it expires (D14). */
interface SavedIdentity extends HeldIdentity {
  readonly version: 1;
  readonly holderId: string;
  /** What it claimed when it joined; absent in files of before. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a restart finds. */
export interface LoadedIdentity {
  readonly held: HeldIdentity;
  /** By which the CA knows this instance. */
  readonly holderId: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
}

export async function saveIdentity(
  store: SecretStore,
  { holderId, labels, held }: LoadedIdentity,
): Promise<void> {
  const saved: SavedIdentity = { version: 1, holderId, ...(labels === undefined ? {} : { labels }), ...held };
  await store.write(name, `${JSON.stringify(saved, null, 2)}\n`);
}

/**
 * The saved identity if it can be used now; undefined when there is none, or one that has ended or is damaged, with the
 * reason told to `unusable`: joining again replaces it.
 * @throws {StoreError} when it belongs to another workload, or its file may be read by others.
 */
export async function loadIdentity(
  store: SecretStore,
  spiffeId: string,
  nowMs: number,
  unusable: (reason: string) => void,
): Promise<LoadedIdentity | undefined> {
  const text = await store.read(name);
  if (text === undefined) return undefined;
  try {
    const saved = JSON.parse(text) as SavedIdentity;
    if (saved.version !== 1) throw new Error(`version ${String(saved.version)} is not known`);
    const { svid, bundles } = saved.snapshot;
    if (svid.spiffeId !== spiffeId)
      throw new StoreError(
        `the state directory holds the identity of ${parseSpiffeId(svid.spiffeId).text}, not of ${spiffeId}; give each workload a state directory of its own`,
      );
    const { leafEpoch, obtainedAtMs, holderId, labels } = saved;
    if (!Number.isFinite(obtainedAtMs) || typeof holderId !== 'string')
      throw new Error('it does not say when it was obtained, and by whom');
    const held = heldFrom({ ...svid, bundles, leafEpoch }, svid.privateKeyPem, spiffeId, nowMs);
    return { held: { ...held, obtainedAtMs }, holderId, labels };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    unusable(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}
