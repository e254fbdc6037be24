import { createHash } from 'node:crypto';

/**
 * Addresses by which captured applications call Services: loopback, so that they are routed wherever there is a loopback
 * interface, and leave no machine where nobody captures them. Half of 127.0.0.0/8; programs use the other.
 */
export const VIRTUAL_NETWORK = '127.128.0.0/9';
/** 127.128.0.0. */
const FIRST = 0x7f80_0000;
/** Without the first and the last, which read like a network and a broadcast. */
const COUNT = 0x7f_ffff - 1;

/**
 * Gives each Service an address, from the hash of its name: every control plane of the mesh, and the same one started again,
 * gives the same. Where two hash to one (for a thousand Services in one of seventeen meshes), the second takes the next that
 * is free: the one that came later or, of those there from the start, the later by name. A start may so make the two change places.
 */
export class VirtualAddresses {
  readonly #slots = new Map<string, number>();
  readonly #taken = new Map<number, string>();

  /**
   * @param services all there are, `namespace/name`; who is not among them any more loses its address
   * @returns address by Service
   */
  assign(services: readonly string[]): ReadonlyMap<string, string> {
    const present = new Set(services);
    for (const [service, slot] of this.#slots)
      if (!present.has(service)) {
        this.#slots.delete(service);
        this.#taken.delete(slot);
      }
    // In order, so that who is first of two is not by chance.
    for (const service of services.toSorted()) if (!this.#slots.has(service)) this.#add(service);
    return new Map(services.map((service) => [service, addressOf(this.#slots.get(service) as number)]));
  }

  #add(service: string): void {
    let slot = createHash('sha256').update(service).digest().readUInt32BE(0) % COUNT;
    while (this.#taken.has(slot)) slot = (slot + 1) % COUNT;
    this.#slots.set(service, slot);
    this.#taken.set(slot, service);
  }
}

function addressOf(slot: number): string {
  const bits = FIRST + 1 + slot;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
