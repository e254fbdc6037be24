/** Fields by which a request claims who sent it, where it came through, or what was asked for before. Lower case, with hyphens. */
const IDENTITY_FIELDS: ReadonlySet<string> = new Set([
  'forwarded',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-host-override',
  'x-original-forwarded-for',
  'x-original-host',
  'x-original-url',
  'x-real-ip',
  'x-rewrite-url',
]);

const X = 0x78;

/**
 * Whether a field of this name claims an identity: proxies take such claims from callers away, and sidecars believe them
 * of gateways. Some origins read `_` as `-`, so it does not tell names apart here.
 * @param name lower case
 */
export function claimsIdentity(name: string): boolean {
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  if (plain.charCodeAt(0) !== X) return IDENTITY_FIELDS.has(plain);
  return (
    plain.startsWith('x-forwarded') ||
    plain.startsWith('x-tulle-') ||
    plain.startsWith('x-envoy-') ||
    IDENTITY_FIELDS.has(plain)
  );
}
