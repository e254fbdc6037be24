/**
 * Labels that a workload may have by the word of whoever made its join token. For each name the values; `'*'`: any label.
 * What a Service selects by is judged against it (docs/decisions/007).
 */
export type LabelGrant = '*' | Readonly<Record<string, readonly string[]>>;

/** Most labels that one token grants; more than any workload of a cluster has. */
export const maxGrantedLabels = 64;

const part = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
const namePattern = new RegExp(`^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?${part}$`);
const valuePattern = new RegExp(`^(?:${part})?$`);

/** Why these are not labels as Kubernetes spells them, or undefined. */
export function labelsFault(labels: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > maxGrantedLabels) return `${entries.length} labels; at most ${maxGrantedLabels}`;
  for (const [name, value] of entries) {
    if (!namePattern.test(name))
      return `${JSON.stringify(name.slice(0, 400))} is not a label's name: an optional DNS prefix and '/', then at most 63 letters, digits, '-', '_', '.'`;
    if (!valuePattern.test(value))
      return `${JSON.stringify(value.slice(0, 400))} of ${name} is not a label's value: at most 63 letters, digits, '-', '_', '.'`;
  }
  return undefined;
}

/** Whether a workload with this grant may have all of these labels. */
export function grantCovers(grant: LabelGrant, labels: Readonly<Record<string, string>>): boolean {
  return (
    grant === '*' ||
    Object.entries(labels).every(
      ([name, value]) => Object.hasOwn(grant, name) && grant[name]?.includes(value) === true,
    )
  );
}

/** What one of several grants allows. */
export function joinGrants(grants: readonly LabelGrant[]): LabelGrant {
  const joined: Record<string, string[]> = {};
  for (const grant of grants) {
    if (grant === '*') return '*';
    for (const [name, values] of Object.entries(grant))
      joined[name] = [...new Set([...(joined[name] ?? []), ...values])];
  }
  return joined;
}

/** A token's labels as a grant. */
export function grantOf(labels: Readonly<Record<string, string>> | '*' | undefined): LabelGrant {
  if (labels === '*') return '*';
  return Object.fromEntries(Object.entries(labels ?? {}).map(([name, value]) => [name, [value]]));
}
