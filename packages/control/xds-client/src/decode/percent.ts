import {
  type FractionalPercent,
  FractionalPercent_DenominatorType as Denominator,
} from '@tulle/xds-proto/envoy/type/v3/percent';

const PARTS: ReadonlyMap<number, number> = new Map([
  [Denominator.HUNDRED, 100],
  [Denominator.TEN_THOUSAND, 10_000],
  [Denominator.MILLION, 1_000_000],
]);

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
