/** Thrown inside the translation of a filter's config when Envoy's type would not say the same, or less. */
export class Inexpressible extends Error {
  override readonly name = 'Inexpressible';
}

/** @returns `undefined` where `encode` finds that Envoy's type would not do */
export function orInexpressible<T>(encode: () => T): T | undefined {
  try {
    return encode();
  } catch (cause) {
    if (cause instanceof Inexpressible) return undefined;
    throw cause;
  }
}

/** @throws Inexpressible unless `holds` */
export function need(holds: boolean): asserts holds {
  if (!holds) throw new Inexpressible();
}
