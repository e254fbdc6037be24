import { join } from 'node:path';
import type { Child } from './child.ts';
import type { IdentityWelcome, SignedIdentity } from './protocol.ts';
import type { SupervisorIdentity } from './supervisor.ts';

/** An identity that processes have, and how its renewals reach them. */
interface Held {
  readonly identity: SupervisorIdentity;
  /** Users of it; processes have it until the last is gone. */
  users: number;
  readonly stop: () => void;
}

/**
 * Who the engine processes may be: the proxy itself, and where it serves several workloads each of them. Every process makes
 * its own key for each; here certificates are asked for, and renewals passed on.
 */
export class Identities {
  readonly #children: Iterable<Child>;
  readonly #stateDir: string | undefined;
  readonly #own: SupervisorIdentity | undefined;
  readonly #held = new Map<string, Held>();
  readonly #stopOwn: () => void;

  /** @param children all processes, those that drain too */
  constructor(children: Iterable<Child>, own: SupervisorIdentity | undefined, stateDir: string | undefined) {
    this.#children = children;
    this.#own = own;
    this.#stateDir = stateDir;
    this.#stopOwn = own === undefined ? () => {} : this.#passOn(own, undefined);
  }

  /** The proxy's own, for a process that starts. */
  ownFor(slot: number): IdentityWelcome | undefined {
    return this.#own && this.#welcome(this.#own, slot, 'identity.json');
  }

  /** Those of its workloads. */
  othersFor(slot: number): IdentityWelcome[] {
    return [...this.#held.values()].map(({ identity }) => this.#otherWelcome(identity, slot));
  }

  /** @param spiffeId of a workload; undefined: the proxy's own */
  async sign(csrPem: string, spiffeId: string | undefined): Promise<SignedIdentity> {
    const identity = spiffeId === undefined ? this.#own : this.#held.get(spiffeId)?.identity;
    if (identity === undefined)
      throw new Error(
        spiffeId === undefined ? 'this app runs without identity' : `this proxy serves no ${spiffeId}`,
      );
    return identity.signCsr(csrPem);
  }

  /**
   * Every process has a certificate of it when this resolves. Several workloads may share one identity.
   * @returns takes it away again, behind the last user
   * @throws Error when a process could not get a certificate
   */
  async add(identity: SupervisorIdentity): Promise<() => void> {
    const { spiffeId } = identity;
    let held = this.#held.get(spiffeId);
    if (held === undefined) {
      held = { identity, users: 0, stop: this.#passOn(identity, spiffeId) };
      this.#held.set(spiffeId, held);
    }
    const mine = held;
    mine.users++;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      if (--mine.users > 0) return;
      mine.stop();
      this.#held.delete(spiffeId);
      for (const child of this.#children) child.removeIdentity(spiffeId);
    };
    try {
      await Promise.all(
        [...this.#children].map(async (child) => {
          if (child.draining) return;
          await Promise.race([
            child.ready.then(async () => child.addIdentity(this.#otherWelcome(identity, child.slot))),
            child.ended, // its successor has it from the start
          ]);
        }),
      );
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  close(): void {
    this.#stopOwn();
    for (const { stop } of this.#held.values()) stop();
  }

  #passOn(identity: SupervisorIdentity, spiffeId: string | undefined): () => void {
    let lastSerial = identity.current()?.svid.serial;
    return identity.subscribe(({ svid, bundles }) => {
      for (const child of this.#children) {
        // The supervisor's own renewal (half life, or the CA's call) is the processes' cue.
        if (svid.serial !== lastSerial) child.renewIdentity(spiffeId);
        child.adoptBundles(bundles, spiffeId);
      }
      lastSerial = svid.serial;
    });
  }

  #otherWelcome(identity: SupervisorIdentity, slot: number): IdentityWelcome {
    return this.#welcome(identity, slot, `${encodeURIComponent(identity.spiffeId)}.json`);
  }

  #welcome(identity: SupervisorIdentity, slot: number, file: string): IdentityWelcome {
    return {
      spiffeId: identity.spiffeId,
      bundles: identity.current()?.bundles ?? [],
      file: this.#stateDir === undefined ? undefined : join(this.#stateDir, `engine-${slot}`, file),
    };
  }
}
