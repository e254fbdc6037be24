import type { DecodeContext } from './context.ts';
import {
  type FractionalPercent,
  type Percent,
  FractionalPercent_DenominatorType as Denominator,
} from '@tulle/xds-proto/envoy/type/v3/percent';

const PARTS: ReadonlyMap<number, number> = new Map([
  [Denominator.HUNDRED, 100],
  [Denominator.TEN_THOUSAND, 10_000],
  [Denominator.MILLION, 1_000_000],
]);

/** Envoy's `type.v3.Percent`. @returns `undefined` where nothing is said, or after an issue */
export function percentValue(
  context: DecodeContext,
  percent: Percent | undefined,
  path: string,
): number | undefined {
  if (percent === undefined) return undefined;
  const { value } = percent;
  if (value >= 0 && value <= 100) return value;
  context.refuse(path, `is ${value}: must be from 0 to 100`);
  return undefined;
}

/** 100 is the default here, 0 the default there. @returns `undefined` for 100 */
export function percentOf(share: FractionalPercent | undefined): number | undefined {
  if (!share) return 0;
  const percent = (share.numerator * 100) / (PARTS.get(share.denominator) ?? 100);
  return percent >= 100 ? undefined : percent;
}

/** What its numerator is a part of. @returns `undefined` for 100, which is the default */
export function denominatorOf(share: FractionalPercent | undefined): 10_000 | 1_000_000 | undefined {
  if (share?.denominator === Denominator.TEN_THOUSAND) return 10_000;
  return share?.denominator === Denominator.MILLION ? 1_000_000 : undefined;
}

/** Whole, at most a million; 0 where nothing is said. */
export function partsPerMillion(share: FractionalPercent | undefined): number {
  if (!share) return 0;
  const parts = PARTS.get(share.denominator) ?? 100;
  return Math.min(1_000_000, (share.numerator * 1_000_000) / parts);
}
