import type { Counter, Meter } from '@tulle/telemetry';

/** Counters of the whole proxy. */
export class EngineMetrics {
  readonly defects: Counter;
  readonly replayOverflows: Counter;
  readonly bodyBufferOverflows: Counter;
  readonly dnsFailures: Counter;
  readonly forwardProxyEvictions: Counter;
  readonly streamsDropped: Counter;
  readonly drainOverflows: Counter;
  readonly configUpdates: Counter;
  readonly configRefused: Counter;
  readonly sinkErrors: Counter;
  readonly streamsNotPooled: Counter;
  readonly dnsAddressesLeftOut: Counter;
  readonly relaysPaused: Counter;
  readonly healthChecksDelayed: Counter;
  readonly explainNotesDropped: Counter;

  constructor(meter: Meter) {
    const counter = (name: string, help: string): Counter => meter.counter(`tulle_${name}_total`, { help });
    this.defects = counter('defects', 'Exceptions in the engine itself');
    this.replayOverflows = counter(
      'replay_overflow',
      'Request bodies that outgrew the replay cap of their stream or of the proxy',
    );
    this.bodyBufferOverflows = counter(
      'filter_buffer_overflow',
      'Bodies larger than the cap of a buffering filter',
    );
    this.dnsFailures = counter('dns_failures', 'Host names that could not be resolved');
    this.forwardProxyEvictions = counter(
      'forward_proxy_evictions',
      'Hosts of forward proxies that were forgotten early, since others were asked for',
    );
    this.streamsDropped = counter(
      'streams_dropped',
      'Streams that ended while a filter still had a promise pending',
    );
    this.drainOverflows = counter(
      'downstream_drain_overflow',
      'Connections closed since the rest of an unwanted request was too long to read',
    );
    this.configUpdates = counter('config_updates', 'Configurations taken into use');
    this.configRefused = counter('config_refused', 'Configurations refused');
    this.streamsNotPooled = counter(
      'streams_not_pooled',
      'Stream objects let go since maxPooledStreams were at rest',
    );
    this.dnsAddressesLeftOut = counter(
      'dns_addresses_left_out',
      'Addresses of names that were not used since maxAddressesPerName were',
    );
    this.relaysPaused = counter(
      'relay_flow_control_paused_reading',
      'Times that one side of a TCP connection or tunnel was not read on since bufferLimitBytes waited for the other',
    );
    this.healthChecksDelayed = counter(
      'health_checks_delayed',
      'Health checks that waited since maxHealthChecks were under way',
    );
    this.explainNotesDropped = counter(
      'explain_notes_dropped',
      'Decision notes left out since a request had more than 64',
    );
    this.sinkErrors = counter('sink_errors', 'Records that a telemetry sink failed to take');
  }
}
