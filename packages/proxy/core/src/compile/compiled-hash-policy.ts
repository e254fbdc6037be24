import type { HashPolicy } from '@tulle/model';

/** A part of what requests are told together by. */
export interface CompiledHashPolicy {
  readonly kind: HashPolicy['kind'];
  /** Of a header in lower case. */
  readonly name: string;
  readonly terminal: boolean;
  /** Of a header: what becomes of each line before it is hashed. */
  readonly rewrite: ((value: string) => string) | undefined;
  /** Attributes of a cookie that is made up; `undefined`: none is. */
  readonly cookieTail: string | undefined;
}
