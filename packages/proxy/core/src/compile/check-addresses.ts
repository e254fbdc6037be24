import {
  formatAddress,
  type InternalAddress,
  isInternalAddress,
  isUnixAddress,
  type ListenAddress,
  type Listener,
} from '@tulle/model';
import type { Issues } from './issues.ts';

/** Each address has one listener of connections, and one of datagrams. */
export class AddressCheck {
  readonly #owners: Map<string, string> = new Map<string, string>();
  readonly #issues: Issues;

  constructor(issues: Issues) {
    this.#issues = issues;
  }

  /** @param path JSON pointer of the listener */
  take({ name, address, additionalAddresses = [], udp }: Listener, path: string): void {
    this.#one(address, `${path}/address`, name, udp === undefined ? '' : 'udp ');
    for (const [index, one] of additionalAddresses.entries())
      this.#one(one, `${path}/additionalAddresses/${index}`, name);
  }

  #one(address: ListenAddress | InternalAddress, path: string, owner: string, protocol = ''): void {
    const text = formatAddress(address);
    const key = `${protocol}${text}`;
    const other = this.#owners.get(key);
    if (other !== undefined && (isInternalAddress(address) || isUnixAddress(address) || address.port !== 0))
      this.#issues.add(path, `listener ${other} has the address ${text} already`);
    this.#owners.set(key, owner);
    if (!isInternalAddress(address)) return;
    if (address.internal !== owner)
      this.#issues.add(
        `${path}/internal`,
        `must be the listener's own name, ${JSON.stringify(owner)}, but is ${JSON.stringify(address.internal)}`,
      );
    if (address.id !== undefined)
      this.#issues.add(`${path}/id`, 'is for endpoints: a listener takes what comes for each of them');
  }
}
