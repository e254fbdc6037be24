/** Name, namespace and labels of a resource. */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; absent for files. */
  readonly creationTimestamp?: string;
}

/** Selects by label: all must be equal. */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
}

/** Whether a policy is for a Service by this target. */
export function isServiceTarget({ group, kind }: Pick<PolicyTarget, 'group' | 'kind'>): boolean {
  return group === '' && kind === 'Service';
}

/** What a policy is attached to, in its own namespace (Gateway API `LocalPolicyTargetReferenceWithSectionName`). */
export interface PolicyTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Port name of a Service, rule name of a route, listener name of a Gateway. */
  readonly sectionName?: string;
}
