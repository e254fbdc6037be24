import type { ConfigIssue } from '@tulle/filter';
import type { Position } from './text/config-text.ts';

/** Something that keeps a bootstrap from being used, or that an operator should know of. */
export interface BootstrapIssue extends ConfigIssue {
  /** Field of the bootstrap, e.g. `static_resources.clusters[0].lb_policy`; `''`: the whole. */
  readonly path: string;
  readonly message: string;
  /** The text in which it stands. */
  readonly source?: string;
  /** Where there; absent where the text has no lines (binary) or the field is not in it. */
  readonly position?: Position;
}

/** `envoy.yaml:12:5: static_resources.clusters[0].lb_policy: must be …` */
export function describeIssue({ path, message, source, position }: BootstrapIssue): string {
  const where = [source, position?.line, position?.column].filter((part) => part !== undefined).join(':');
  return [where, path, message].filter((part) => part !== '').join(': ');
}
