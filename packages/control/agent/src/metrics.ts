import type { Counter, Meter } from '@tulle/telemetry';

/** What an agent counts. */
export interface AgentMetrics {
  readonly sent: Counter;
  readonly acks: Counter;
  readonly nacks: Counter;
  readonly unknown: Counter;
  readonly refused: Counter;
  /** Answers of the Workload API. */
  readonly workloadAnswers: Counter;
}

/** @param streams by service, read when somebody scrapes */
export function createAgentMetrics(
  meter: Meter,
  streams: { readonly sds: () => number; readonly workloadApi: () => number },
): { readonly metrics: AgentMetrics; close(): void } {
  const help = 'Streams of SDS and the Workload API that are open';
  const observed = [
    meter.observed('tulle_agent_streams', { help, labels: { service: 'sds' } }, streams.sds),
    meter.observed('tulle_agent_streams', { help, labels: { service: 'workload-api' } }, streams.workloadApi),
  ];
  const answers = (result: 'ack' | 'nack'): Counter =>
    meter.counter('tulle_agent_secret_answers_total', {
      help: 'Answers of SDS clients to what they were sent',
      labels: { result },
    });
  return {
    metrics: {
      sent: meter.counter('tulle_agent_secrets_sent_total', { help: 'Secrets sent to SDS clients' }),
      acks: answers('ack'),
      nacks: answers('nack'),
      unknown: meter.counter('tulle_agent_secrets_unknown_total', {
        help: 'Secrets that SDS clients asked for and that there are none of',
      }),
      refused: meter.counter('tulle_agent_streams_refused_total', {
        help: 'Streams that were turned away: too many, or without the header of the Workload API',
      }),
      workloadAnswers: meter.counter('tulle_agent_workload_api_answers_total', {
        help: 'Answers of the Workload API',
      }),
    },
    close() {
      for (const end of observed) end();
    },
  };
}
