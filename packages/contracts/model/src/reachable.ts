/**
 * How a workload says which Services it calls, as the source of a regular expression: `name` in its own namespace,
 * `name.namespace`, `*.namespace` for all of one, or `*` for all there are.
 */
export const REACHABLE_PATTERN = '^(\\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)?$';
