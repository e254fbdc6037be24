/**
 * Whether two values of the data-plane model say the same. They are plain data (objects, arrays, strings, numbers, booleans); a
 * field that is `undefined` is one that is not there, and the order of fields says nothing. It ends at the first difference, and
 * makes no text of either.
 */
export function isSameValue(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return Number.isNaN(one) && Number.isNaN(other);
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    for (let i = 0; i < one.length; i++) if (!isSameValue(one[i], other[i])) return false;
    return true;
  }
  return saysAll(one, other, true) && saysAll(other, one, false);
}

/** Whether another object has every field of this one; where `deep`, with the same value. */
function saysAll(one: object, other: object, deep: boolean): boolean {
  const [a, b] = [one as Readonly<Record<string, unknown>>, other as Readonly<Record<string, unknown>>];
  for (const field in a) {
    const value = a[field];
    if (value === undefined) continue;
    if (deep ? !isSameValue(value, b[field]) : b[field] === undefined) return false;
  }
  return true;
}
