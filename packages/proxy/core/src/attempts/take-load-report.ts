import type { FieldTable } from '@tulle/fields';
import type { Stream } from '../stream/stream.ts';
import { BAD_REPORT, NO_REPORT, readLoadReport } from './load-report.ts';

/** What an endpoint says of its load decides how much it gets. */
export function takeLoadReport({ endpoint, cluster, engine }: Stream, fields: FieldTable): void {
  const report = readLoadReport(fields);
  if (report === NO_REPORT) return;
  const taken = report !== BAD_REPORT && endpoint?.reportLoad(report, engine.turn.nowMs) === true;
  cluster?.metrics.loadReported(taken ? 'taken' : 'unusable');
}
