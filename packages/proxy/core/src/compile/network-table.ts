import { CompileContext, compileCidrs, maskAddress } from '@tulle/match';

const V4_BITS = 32;
const V6_BITS = 128;

/** Values by networks; found by as many look-ups as there are lengths of prefixes, however many networks there are. */
export class NetworkTable<Value> {
  readonly #values: Map<string, Value[]> = new Map<string, Value[]>();
  /** Lengths of the prefixes that there are, the longest first. */
  #v4: readonly number[] = [];
  #v6: readonly number[] = [];

  /** What is no network goes to `context`. @param path JSON pointer of it */
  add(cidr: string, value: Value, context: CompileContext, path: string): void {
    const checked = new CompileContext();
    compileCidrs([cidr], checked, path);
    for (const { message } of checked.issues) context.issue(path, message);
    if (checked.issues.length > 0) return;
    const [address = '', said] = cidr.split('/');
    const whole = maskAddress(address, V4_BITS, V6_BITS) ?? '';
    const mapped = address.includes(':') && !whole.includes(':');
    const v6 = whole.includes(':');
    const given = said === undefined ? (address.includes(':') ? V6_BITS : V4_BITS) : Number(said);
    // An IPv4 address in IPv6 clothes is one of IPv4, as far as its prefix says so.
    const bits = mapped ? Math.max(0, given - 96) : given;
    const key = maskAddress(address, bits, bits) ?? '';
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
    if (v6) this.#v6 = longestFirst(this.#v6, bits);
    else this.#v4 = longestFirst(this.#v4, bits);
  }

  /** What stands under the networks that have the address, the narrowest first, and in order where they are the same. */
  find(address: string): readonly Value[] {
    const whole = maskAddress(address, V4_BITS, V6_BITS);
    if (whole === undefined) return [];
    const found: Value[] = [];
    for (const bits of whole.includes(':') ? this.#v6 : this.#v4) {
      const values = this.#values.get(maskAddress(address, bits, bits) ?? '');
      if (values !== undefined) found.push(...values);
    }
    return found;
  }
}

const longestFirst = (lengths: readonly number[], bits: number): readonly number[] =>
  lengths.includes(bits) ? lengths : [...lengths, bits].toSorted((a, b) => b - a);
