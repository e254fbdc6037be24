import type { WireResource } from '../encode/wire-resource.ts';

/** Splits resources so that each batch has at most `maxBytes`, or is a single resource. Never empty. */
export function batches(resources: readonly WireResource[], maxBytes: number): WireResource[][] {
  const out: WireResource[][] = [];
  let batch: WireResource[] = [];
  let size = 0;
  for (const resource of resources) {
    if (batch.length > 0 && size + resource.bytes.length > maxBytes) {
      out.push(batch);
      batch = [];
      size = 0;
    }
    batch.push(resource);
    size += resource.bytes.length;
  }
  if (batch.length > 0) out.push(batch);
  return out;
}
