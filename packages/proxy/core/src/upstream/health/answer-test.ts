import type { FieldTable } from '@tulle/fields';
import { compileStringMatch, type CompileContext } from '@tulle/match';
import { DEFAULT_RECEIVED_BYTES, type HttpHealthCheck, type StatusRange } from '@tulle/model';
import { holdsAll, payloadsOf } from './payloads.ts';
import type { ProbeResult } from './probe.ts';

const DEFAULT_EXPECTED: readonly StatusRange[] = [{ from: 200, to: 200 }];

/** Whoever answers with it is well, but should have less to do (Envoy). */
const DEGRADED = 'x-envoy-degraded';
/** Who answers: what a health check filter says of its own cluster (Envoy). */
const SERVICE = 'x-envoy-upstream-healthchecked-cluster';

/** What an answer to an HTTP health check must be, in the order in which Envoy looks. */
export class AnswerTest {
  /** So much of the body is looked at; 0 where nothing of it counts. */
  readonly bodyBytes: number;
  readonly #check: HttpHealthCheck;
  readonly #wanted: readonly Buffer[];
  readonly #isService: ((name: string) => boolean) | undefined;

  /** @param everything bytes of the body that are looked at where the check says all of them */
  constructor(check: HttpHealthCheck, everything: number, context: CompileContext) {
    this.#check = check;
    this.#wanted = payloadsOf(check.receive);
    const within = check.receiveWithinBytes ?? DEFAULT_RECEIVED_BYTES;
    this.bodyBytes = this.#wanted.length === 0 ? 0 : within || everything;
    this.#isService = check.serviceName && compileStringMatch(check.serviceName, context, '');
  }

  /** Whether it is a status of a healthy endpoint. */
  expects(status: number): boolean {
    return isIn(status, this.#check.expectedStatuses ?? DEFAULT_EXPECTED);
  }

  /** @param body its first {@link bodyBytes} */
  judge(status: number, fields: FieldTable, body: Buffer): ProbeResult {
    if (!holdsAll(body, this.#wanted)) return 'unexpected';
    if (!this.expects(status))
      return isIn(status, this.#check.retriableStatuses ?? []) ? 'retriable' : 'unexpected';
    if (this.#isService?.(fields.get(SERVICE) ?? '') === false) return 'unexpected';
    return fields.get(DEGRADED) === undefined ? 'passed' : 'degraded';
  }
}

function isIn(status: number, ranges: readonly StatusRange[]): boolean {
  return ranges.some(({ from, to }) => status >= from && status <= to);
}
