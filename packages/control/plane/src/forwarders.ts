import type { Workload } from '@tulle/resources';
import type { ProxyNode } from './node.ts';
import { addTo, removeFrom } from './sets.ts';

/**
 * Whose word sidecars take for who called: service accounts (`namespace/name`) that a gateway has proven to have, and no
 * sidecar has. A Gateway resource alone makes nobody believed: whoever may write one could name any account.
 */
export class Forwarders {
  /** Accounts that a gateway proved; they stay while it is away, so that its calls are read the same. */
  readonly #proven = new Set<string>();
  /** Accounts of applications → who has them: node ids, and keys of Workloads. */
  readonly #sidecars = new Map<string, Set<string>>();

  /** @returns whether the account is believed otherwise than before */
  joined(node: ProxyNode): boolean {
    const account = accountOfNode(node);
    return this.#change(account, () => {
      if (node.gateway === undefined) addTo(this.#sidecars, account, node.id);
      else {
        removeFrom(this.#sidecars, account, node.id);
        // An identity that is there is the account's; one that is not is none.
        if (node.identity !== undefined) this.#proven.add(account);
      }
    });
  }

  /** @returns whether the account is believed otherwise than before */
  left(node: ProxyNode): boolean {
    const account = accountOfNode(node);
    return this.#change(account, () => removeFrom(this.#sidecars, account, node.id));
  }

  /** A Workload with a sidecar has this account. */
  addWorkload(account: string, key: string): void {
    addTo(this.#sidecars, account, key);
  }

  removeWorkload(account: string, key: string): void {
    removeFrom(this.#sidecars, account, key);
  }

  /** Takes what a former process saved. */
  restore(accounts: readonly string[]): void {
    for (const account of accounts) this.#proven.add(account);
  }

  /** To save. */
  get proven(): string[] {
    return [...this.#proven].toSorted();
  }

  believes(account: string): boolean {
    return this.#proven.has(account) && !this.#sidecars.has(account);
  }

  #change(account: string, change: () => void): boolean {
    const before = this.believes(account);
    change();
    return this.believes(account) !== before;
  }
}

const accountOfNode = ({ namespace, serviceAccount }: ProxyNode): string => `${namespace}/${serviceAccount}`;

/** `namespace/name` of the account that a Workload's sidecar proves to have, also when it is written as an identity. */
export function provenAccount(workload: Workload): string {
  const [, namespace, name] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(workload.spec.identity ?? '') ?? [];
  return name === undefined
    ? `${workload.metadata.namespace}/${workload.spec.serviceAccount ?? 'default'}`
    : `${namespace}/${name}`;
}
