import type { Difference } from '../compare.ts';
import type { Exchange, Named } from '../configuration.ts';
import type { Observations } from '../observe.ts';

/** An exchange of which something differs. */
export interface Pair {
  readonly configuration: Named;
  /** Absent where a configuration is taken by one side alone. */
  readonly exchange?: Exchange;
  readonly observations?: Observations;
  readonly differences: readonly Difference[];
}
