import type { Service } from './kinds/service.ts';

/** Whose Workloads a Service takes as endpoints: `name` or `namespace/name`, comma-separated (docs/decisions/007). */
export const SERVICE_ACCOUNTS_ANNOTATION = 'tulle.dev/service-accounts';

/** A service account, as `namespace/name`. */
export type ServiceAccount = string;

const PART = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** What the annotation of a Service says. */
export interface NamedAccounts {
  /** As `namespace/name`. */
  readonly accounts: readonly ServiceAccount[];
  /** Entries that are no service account; they name nobody. */
  readonly faults: readonly string[];
}

/** The service accounts that a Service names; `undefined` when it has no such annotation. */
export function namedAccounts({ metadata }: Service): NamedAccounts | undefined {
  const text = metadata.annotations?.[SERVICE_ACCOUNTS_ANNOTATION];
  if (text === undefined) return undefined;
  const accounts: string[] = [];
  const faults: string[] = [];
  for (const entry of text.split(',').map((part) => part.trim())) {
    const parts = entry.split('/');
    if (parts.length > 2 || !parts.every((part) => PART.test(part))) faults.push(entry);
    else accounts.push(parts.length === 2 ? entry : `${metadata.namespace}/${entry}`);
  }
  return { accounts, faults };
}
