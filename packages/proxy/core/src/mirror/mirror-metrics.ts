import type { Counter, Meter } from '@tulle/telemetry';

/** Counters of mirrored requests. */
export class MirrorMetrics {
  readonly requests: Counter;
  readonly noCluster: Counter;
  readonly tooMany: Counter;
  readonly tooSlow: Counter;
  readonly unfinished: Counter;

  constructor(meter: Meter) {
    this.requests = meter.counter('tulle_mirror_requests_total', { help: 'Requests that were mirrored' });
    const dropped = (reason: string): Counter =>
      meter.counter('tulle_mirror_dropped_total', {
        help: 'Mirrored requests that were not sent, or not to their end',
        labels: { reason },
      });
    this.noCluster = dropped('no-cluster');
    this.tooMany = dropped('limit');
    this.tooSlow = dropped('body');
    this.unfinished = dropped('unfinished');
  }
}
