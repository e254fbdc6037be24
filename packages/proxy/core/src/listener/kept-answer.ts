import type { FieldTable } from '@tulle/fields';
import type { StreamRecord } from '@tulle/telemetry';
import type { Mutable } from '../stream/recorder.ts';

/** Under which keys of filter state logs find the parts of an answer (Envoy's names). */
const KEYS = {
  head: 'envoy.tcp_proxy.propagate_response_headers',
  trailers: 'envoy.tcp_proxy.propagate_response_trailers',
} as const;

/** A part as `envoy.config.core.v3.HeaderMap` has it in JSON. */
interface KeptPart {
  readonly [field: string]: unknown;
  readonly headers: readonly { readonly key: string; readonly value: string }[];
}

/** What is kept of the last answer to the request for a connection's tunnel, by key. */
export type KeptAnswer = Readonly<Partial<Record<string, KeptPart>>>;

/** @param status of a head @returns the same with this part, in place of what an earlier answer said there */
export function withAnswer(
  kept: KeptAnswer | undefined,
  part: keyof typeof KEYS,
  fields: FieldTable,
  status?: number,
): KeptAnswer {
  const headers = status === undefined ? [] : [{ key: ':status', value: String(status) }];
  fields.forEach((key, value) => void headers.push({ key, value }));
  return { ...kept, [KEYS[part]]: { headers } };
}

/** Beside the filter state that the record has. */
export function tellAnswer(record: Mutable<StreamRecord>, kept: KeptAnswer): void {
  const other = record.filterState.bind(record);
  record.filterState = (key) => (Object.hasOwn(kept, key) ? kept[key] : other(key));
}
