import type { Log } from '@tulle/filter';
import type { IdentitySource, TrustBundle } from '@tulle/model';
import { openProcessIdentity, type ProcessIdentity } from './process-identity.ts';
import type { IdentityWelcome, SignedIdentity } from './protocol.ts';

/** Identities of the workloads that an engine process serves, each with a key that the process made. */
export class ProcessIdentities {
  readonly #sign: (csrPem: string, spiffeId: string) => Promise<SignedIdentity>;
  readonly #log: Log;
  readonly #open = new Map<string, Promise<ProcessIdentity>>();
  readonly #ready = new Map<string, ProcessIdentity>();

  constructor(sign: (csrPem: string, spiffeId: string) => Promise<SignedIdentity>, log: Log) {
    this.#sign = sign;
    this.#log = log;
  }

  get(spiffeId: string): IdentitySource | undefined {
    return this.#ready.get(spiffeId);
  }

  /** Resolves when there is a certificate. */
  async add(welcome: IdentityWelcome): Promise<void> {
    const { spiffeId } = welcome;
    let opening = this.#open.get(spiffeId);
    if (opening === undefined) {
      opening = openProcessIdentity(welcome, async (csrPem) => this.#sign(csrPem, spiffeId), this.#log);
      this.#open.set(spiffeId, opening);
    }
    try {
      const identity = await opening;
      if (this.#open.get(spiffeId) === opening) this.#ready.set(spiffeId, identity);
      else identity.close();
    } catch (error) {
      if (this.#open.get(spiffeId) === opening) this.#open.delete(spiffeId);
      throw error;
    }
  }

  /** Connections under way keep what they agreed on; new ones are not made in its name. */
  remove(spiffeId: string): void {
    this.#open.delete(spiffeId);
    this.#ready.get(spiffeId)?.close();
    this.#ready.delete(spiffeId);
  }

  renew(spiffeId: string): void {
    this.#ready.get(spiffeId)?.renew();
  }

  adoptBundles(spiffeId: string, bundles: readonly TrustBundle[]): void {
    this.#ready.get(spiffeId)?.adoptBundles(bundles);
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#ready.values()].map(async (identity) => identity.settled()));
  }

  close(): void {
    for (const spiffeId of [...this.#ready.keys()]) this.remove(spiffeId);
  }
}
