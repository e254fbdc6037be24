/** What one host pattern has in common with another; `undefined`: nothing. `*` stands for every host. */
export function commonHostname(a: string, b: string): string | undefined {
  if (coversHostname(a, b)) return b;
  return coversHostname(b, a) ? a : undefined;
}

/**
 * Whether every host of `inner` is one of `outer`. `*.example.com` covers names with one label or more before, never
 * `example.com` itself (Gateway API `Hostname`). `*` covers all.
 */
export function coversHostname(outer: string, inner: string): boolean {
  if (outer === '*' || outer === inner) return true;
  if (!outer.startsWith('*.')) return false;
  const suffix = outer.slice(1);
  return inner.endsWith(suffix) && inner.length > suffix.length;
}

/** Hosts that a route has on a listener, each once; `[]`: none, so that it does not attach. */
export function attachedHostnames(
  listener: string | undefined,
  route: readonly string[] | undefined,
): readonly string[] {
  const own = listener ?? '*';
  if (route === undefined || route.length === 0) return [own];
  return [...new Set(route.flatMap((one) => commonHostname(own, one) ?? []))];
}

/** The more specific first: names before wildcards, longer before shorter, `*` last. */
export function compareHostnames(a: string, b: string): number {
  const wild = (host: string): number => Number(host.startsWith('*'));
  return wild(a) - wild(b) || b.length - a.length || (a < b ? -1 : a > b ? 1 : 0);
}
