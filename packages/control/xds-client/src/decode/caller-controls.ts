import { type CallerControls, CHECKED_CONTROLS } from '@tulle/model';
import type { Router } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import type { DecodeContext } from './context.ts';
import { filled, present } from './values.ts';

/** @param path of the Router */
export function decodeCallerControls(
  context: DecodeContext,
  { strictCheckHeaders, respectExpectedRqTimeout }: Router,
  path: string,
): CallerControls | undefined {
  const checks = strictCheckHeaders.flatMap((name, at) => {
    const known = CHECKED_CONTROLS.find((one) => one === name);
    if (known !== undefined) return [known];
    context.refuse(
      `${path}.strict_check_headers[${at}]`,
      `is ${JSON.stringify(name)}: must be one of ${CHECKED_CONTROLS.join(', ')}`,
    );
    return [];
  });
  if (checks.length === 0 && !respectExpectedRqTimeout) return undefined;
  return present({ checks: filled(checks), timeout: respectExpectedRqTimeout ? true : undefined });
}
