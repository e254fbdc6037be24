import { compileCidrs, type CidrSet, type CompileContext } from '@tulle/match';

/** Networks, of which the narrowest counts that has an address. */
export class Networks {
  /** Narrowest first. */
  readonly #nets: readonly { readonly bits: number; readonly set: CidrSet }[];

  /** What is no network goes to `context`. @param path JSON pointer of the list */
  constructor(cidrs: readonly string[], context: CompileContext, path: string) {
    this.#nets = cidrs
      .map((cidr, index) => ({
        bits: bitsOf(cidr),
        set: compileCidrs([cidr], context, `${path}/${index}`),
      }))
      .toSorted((a, b) => b.bits - a.bits);
  }

  /** Bits of the narrowest network that has the address; -1: none has. IPv4 counts as mapped into IPv6. */
  narrowest(address: string): number {
    for (const { bits, set } of this.#nets) if (set.has(address)) return bits;
    return -1;
  }
}

function bitsOf(cidr: string): number {
  const [address = '', bits] = cidr.split('/');
  const v6 = address.includes(':');
  return Number(bits ?? (v6 ? 128 : 32)) + (v6 ? 0 : 96);
}
