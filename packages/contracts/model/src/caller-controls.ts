/** Fields that {@link CallerControls} can have checked. */
export const CHECKED_CONTROLS = [
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-max-retries',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
] as const;

export type CheckedControl = (typeof CHECKED_CONTROLS)[number];

/** Of the fields by which Envoys tell each other how a request is tried. */
export interface CallerControls {
  /**
   * A request of which one of these says what no Envoy understands is refused with 400, by the first that does, where its cluster is
   * there (`strict_check_headers`). Default none.
   */
  readonly checks?: readonly CheckedControl[];
  /**
   * Whether `x-envoy-expected-rq-timeout-ms` takes the place of the route's timeout, 0 for none (`respect_expected_rq_timeout`).
   * Default false.
   */
  readonly timeout?: boolean;
}
