import { GATEWAY_FAILURE, LOCAL_FAILURE, SUCCESS, type Outcome } from './endpoint-state.ts';

/** What is known of one endpoint for the rules of outlier detection. */
export class OutlierCounts {
  /** In a row. */
  failures = 0;
  gatewayFailures = 0;
  localFailures = 0;
  /** Since endpoints were compared last. */
  total = 0;
  failed = 0;
  localTotal = 0;
  localFailed = 0;

  /** @param split local failures count apart */
  add(outcome: Outcome, split: boolean): void {
    const local = outcome === LOCAL_FAILURE;
    if (split) {
      this.localTotal++;
      if (!local) this.localFailures = 0;
      else {
        this.localFailures++;
        this.localFailed++;
        return;
      }
    }
    this.total++;
    if (outcome === SUCCESS) {
      this.failures = 0;
      this.gatewayFailures = 0;
      return;
    }
    this.failed++;
    this.failures++;
    if (local || outcome === GATEWAY_FAILURE) this.gatewayFailures++;
    else this.gatewayFailures = 0;
  }

  /** Endpoints were compared. */
  compared(): void {
    this.total = 0;
    this.failed = 0;
    this.localTotal = 0;
    this.localFailed = 0;
  }

  /** A rule found something of which nothing comes: it begins anew, and no other does. */
  restartOne(rule: 'failures' | 'gatewayFailures' | 'localFailures'): void {
    this[rule] = 0;
  }

  /** It was ejected, or is back. */
  restart(): void {
    this.failures = 0;
    this.gatewayFailures = 0;
    this.localFailures = 0;
  }
}
