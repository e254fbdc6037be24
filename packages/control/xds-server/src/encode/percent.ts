import { create } from '@bufbuild/protobuf';
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType as Denominator,
  FractionalPercentSchema,
} from '@tulle/xds-proto/envoy/type/v3/percent';

/** Envoy's default is 0 %, ours 100 %, so it is always written. The coarsest denominator that is exact. */
export function share(percent = 100): FractionalPercent {
  if (Number.isInteger(percent))
    return create(FractionalPercentSchema, { numerator: percent, denominator: Denominator.HUNDRED });
  return create(FractionalPercentSchema, {
    numerator: Math.round(percent * 10_000),
    denominator: Denominator.MILLION,
  });
}

const DENOMINATORS: Readonly<Record<100 | 10_000 | 1_000_000, Denominator>> = {
  100: Denominator.HUNDRED,
  10_000: Denominator.TEN_THOUSAND,
  1_000_000: Denominator.MILLION,
};

/** {@link share} with the denominator that it is to have. @returns `undefined` where that is none for it */
export function shareOf(
  percent: number = 100,
  denominator: 100 | 10_000 | 1_000_000 = 100,
): FractionalPercent | undefined {
  const numerator = Math.round((percent * denominator) / 100);
  if ((numerator * 100) / denominator !== percent) return undefined;
  return create(FractionalPercentSchema, { numerator, denominator: DENOMINATORS[denominator] });
}
