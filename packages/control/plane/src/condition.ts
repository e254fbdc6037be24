/** One thing that holds of a resource, or does not (as Kubernetes writes conditions). */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  /** One word in CamelCase, for programs. */
  readonly reason: string;
  readonly message: string;
}
