import type { Span } from './collector.ts';

/**
 * Whether spans are one tree below a caller's span: each is the child of another or of the caller, and they are of exactly
 * these services, one name a span.
 */
export function isOneTree(spans: readonly Span[], callerSpan: string, services: readonly string[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  if (ids.size !== spans.length) return false;
  // Reached from the caller on; a ring or a stranger's child is never reached.
  const reached = new Set([callerSpan]);
  for (let before = -1; before !== reached.size;) {
    before = reached.size;
    for (const { spanId, parentSpanId = '' } of spans) if (reached.has(parentSpanId)) reached.add(spanId);
  }
  const names = spans.map(({ resource }) => resource['service.name']).toSorted();
  return (
    reached.size === spans.length + 1 &&
    names.length === services.length &&
    services.toSorted().every((name, i) => name === names[i])
  );
}
