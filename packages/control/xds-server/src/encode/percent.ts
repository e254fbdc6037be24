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
