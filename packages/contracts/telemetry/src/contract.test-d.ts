// Type tests: compiled by the root tsc, never run. Each @ts-expect-error is a promise of the contract.
import {
  noMeter,
  type AttemptRecord,
  type Counter,
  type Meter,
  type Sink,
  type StreamRecord,
  type TelemetryPlugin,
  type TracingSettings,
} from './index.ts';

declare const record: StreamRecord;
declare const meter: Meter;

const seen: string[] = [];
const keeping: Sink = {
  name: 'keep',
  record(borrowed) {
    seen.push(borrowed.requestId);
  },
  flush: () => Promise.resolve(),
  close() {},
};
// @ts-expect-error a record is borrowed until the call returns: nobody waits
const waiting: Sink = { name: 'wait', record: async () => {} };
// @ts-expect-error a sink says who it is, for logs and metrics
const nameless: Sink = { record() {} };
void keeping;
void waiting;
void nameless;

// @ts-expect-error the record is lent to every sink, so none may change it
record.status = 200;
const attempts: readonly AttemptRecord[] = record.attempts;
// @ts-expect-error and borrowed with it
attempts[0] = undefined;
// @ts-expect-error fields are asked for by name, never handed out as a table
void record.requestHeaders;
const field: string | undefined = record.requestHeader('user-agent');
void field;

const counter: Counter = meter.counter('tulle_x_total', { help: 'What it counts' });
counter.add();
const canBeSet: 'set' extends keyof Counter ? true : false = false;
void canBeSet;
// @ts-expect-error an instrument says what it measures
meter.gauge('tulle_x', {});
// @ts-expect-error label values are text
meter.counter('tulle_x_total', { help: 'x', labels: { code: 200 } });
const stop: () => void = meter.observed('tulle_x', { help: 'x' }, () => 1);
void stop;

const plugin: TelemetryPlugin = { name: 'all', meter: noMeter, sink: keeping };
// @ts-expect-error formats are a closed set
const tracing: TracingSettings = { sampleRatio: 1, respectParent: true, extract: ['jaeger'], inject: [] };
void plugin;
void tracing;
