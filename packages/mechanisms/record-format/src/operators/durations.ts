import type { StreamRecord } from '@tulle/telemetry';
import { type Compile, ms, type Operators, plain } from './operator.ts';

/** A moment of a stream in milliseconds from its start; below 0: it did not come. */
type Moment = (record: StreamRecord) => number;

/** Moments as Envoy calls them; others that it has are not known here. */
const MOMENTS: Readonly<Record<string, Moment>> = {
  DS_RX_BEG: () => 0,
  DS_RX_END: (r) => r.times?.requestEndMs ?? -1,
  US_TX_BEG: (r) => r.times?.connectedMs ?? -1,
  US_TX_END: (r) => r.times?.requestSentMs ?? -1,
  US_RX_BEG: (r) => r.times?.responseHeadMs ?? -1,
  DS_TX_BEG: (r) => r.firstByteMs,
  DS_TX_END: (r) => r.durationMs,
};
const UNITS: Readonly<Record<string, number>> = { ms: 1, us: 1e3, ns: 1e6 };

/** `COMMON_DURATION(FROM:TO:UNIT)`. */
const commonDuration: Compile = (argument, at, issues) => {
  const [from = '', to = '', unit = 'ms', ...more] = (argument ?? '').split(':');
  for (const name of [from, to])
    if (!Object.hasOwn(MOMENTS, name))
      issues.push({
        at,
        message: `${JSON.stringify(name)} is no moment that is known here; there is ${Object.keys(MOMENTS).join(', ')}`,
      });
  if (!Object.hasOwn(UNITS, unit) || more.length > 0)
    issues.push({
      at,
      message: 'give two moments and ms, us or ns, e.g. %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%',
    });
  const begin = MOMENTS[from];
  const end = MOMENTS[to];
  const factor = UNITS[unit] ?? 1;
  return (record) => {
    const first = begin?.(record) ?? -1;
    const last = end?.(record) ?? -1;
    return first < 0 || last < first ? undefined : Math.floor((last - first) * factor);
  };
};

/** The endpoint began to answer; what this proxy answers itself has no such moment. */
const answered: Moment = (r) => (r.upstreamServiceMs < 0 ? -1 : (r.times?.responseHeadMs ?? r.firstByteMs));

/** How long it took. */
export const DURATION_OPERATORS: Operators = {
  DURATION: plain((r) => ms(r.durationMs)),
  COMMON_DURATION: commonDuration,
  REQUEST_DURATION: plain((r) => r.times && ms(r.times.requestEndMs)),
  REQUEST_TX_DURATION: plain((r) => r.times && ms(r.times.requestSentMs)),
  RESPONSE_DURATION: plain((r) => ms(answered(r))),
  // Moments are whole microseconds, the end is not: what ended at once must not have ended before.
  RESPONSE_TX_DURATION: plain((r) =>
    answered(r) < 0 ? undefined : ms(Math.max(r.durationMs - answered(r), 0)),
  ),
  UPSTREAM_CONNECTION_POOL_READY_DURATION: plain((r) => {
    const begun = r.attempts[r.attempts.length - 1]?.startMs;
    return begun === undefined || r.times === undefined || r.times.connectedMs < 0
      ? undefined
      : ms(r.times.connectedMs - begun);
  }),
};
