import type { Counter, Meter, StreamRecord } from '@tulle/telemetry';
import type { HttpChain } from '../compile/compiled.ts';
import type { Mutable } from '../stream/recorder.ts';

/** Where the connections of a chain find it; a new configuration puts another there. */
export interface ChainSlot {
  current: HttpChain | undefined;
}

/** What a connection needs of its listener. */
export interface ServingListener {
  readonly name: string;
  readonly metrics: ListenerMetrics;
  readonly bufferLimitBytes: number;
  /** The listener is going away, and the time for its connections is over. */
  readonly drainEnded: boolean;
  /** Whether the response under way should say `Connection: close`: while draining, more and more often. */
  asksToClose(): boolean;
  connectionOver(connection: ListenerConnection): void;
}

/** What a listener asks of its connections. */
export interface ListenerConnection {
  /** What its peer, who came without TLS, sends; `undefined` with TLS, and while that is open. */
  readonly plain: 'requests' | 'bytes' | undefined;
  /** Closes when nothing is under way; otherwise after it. */
  closeIfIdle(): void;
  /** Closes now. */
  destroy(): void;
  /** Adds to the record of its connection what it alone knows; by whom there is nothing to add leaves it out. */
  describe?(record: Mutable<StreamRecord>): void;
}

/** Counters of one listener. */
export class ListenerMetrics {
  readonly #meter: Meter;
  readonly #listener: string;
  readonly #labelled: Map<string, Counter> = new Map<string, Counter>();
  readonly connections: Counter;
  readonly http1Connections: Counter;
  readonly http2Connections: Counter;
  readonly goawaysSent: Counter;
  readonly keepaliveTimeouts: Counter;
  readonly resetsReceived: Counter;
  readonly resetsSent: Counter;
  /** Open connections that speak HTTP/2, and streams on them. */
  http2Active = 0;
  http2Streams = 0;
  readonly tlsConnections: Counter;
  readonly plaintext: Counter;
  readonly overflows: Counter;
  readonly noChain: Counter;
  readonly requests: Counter;
  readonly idleTimeouts: Counter;
  readonly headTimeouts: Counter;
  readonly flowPaused: Counter;
  readonly stalled: Counter;
  readonly pipelinePaused: Counter;
  readonly handshakeTimeouts: Counter;
  readonly proxyProtocolErrors: Counter;

  constructor(meter: Meter, listener: string) {
    this.#meter = meter;
    this.#listener = listener;
    const counter = (what: string, help: string): Counter =>
      meter.counter(`tulle_listener_downstream_${what}_total`, { help, labels: { listener } });
    this.connections = counter('cx', 'Connections accepted');
    this.http1Connections = counter('cx_http1', 'Connections that speak HTTP/1');
    this.http2Connections = counter('cx_http2', 'Connections that speak HTTP/2');
    this.goawaysSent = counter('cx_goaway', 'HTTP/2 connections that were asked to leave by GOAWAY');
    this.keepaliveTimeouts = counter(
      'cx_keepalive_timeout',
      'HTTP/2 connections closed since PING was not answered in time',
    );
    this.resetsReceived = counter('rq_rx_reset', 'HTTP/2 streams that the caller reset');
    this.resetsSent = counter('rq_tx_reset', 'HTTP/2 streams that were reset towards the caller');
    this.tlsConnections = counter('cx_ssl', 'Connections on which TLS was established and the peer verified');
    this.plaintext = counter(
      'cx_plaintext',
      'Connections in plain text to a listener that takes mutual TLS too',
    );
    this.overflows = counter('cx_overflow', 'Connections closed at once by maxConnections');
    this.noChain = counter('cx_no_filter_chain_match', 'Connections closed since no filter chain matched');
    this.proxyProtocolErrors = counter(
      'cx_proxy_protocol_error',
      'Connections closed since they did not begin with a header of the PROXY protocol',
    );
    this.requests = counter('rq', 'Requests begun');
    this.idleTimeouts = counter('cx_idle_timeout', 'Kept-alive connections closed for being idle');
    this.headTimeouts = counter('rq_header_timeout', 'Requests whose head was not complete in time');
    this.flowPaused = counter(
      'flow_control_paused_reading',
      'Times that a caller was not read on since bufferLimitBytes waited for it or for the endpoint',
    );
    this.pipelinePaused = counter(
      'pipeline_paused',
      'Times that a caller was not read on since maxPipelinedBytes of further requests waited',
    );
    this.stalled = counter(
      'cx_stalled',
      'Connections cut since the caller took nothing of its answer for the stream idle timeout',
    );
    this.handshakeTimeouts = counter(
      'cx_handshake_timeout',
      'Connections closed since first byte or TLS handshake did not come in time',
    );
  }

  /** What a connection speaks whose port declares nothing, and who showed it by speaking first. */
  detected(protocol: 'http1' | 'http2' | 'bytes', by: 'caller' | 'endpoint'): void {
    const key = `detected:${protocol}:${by}`;
    let counter = this.#labelled.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter('tulle_listener_downstream_cx_detected_total', {
        help: 'Connections whose protocol was detected, since their port declares none',
        labels: { listener: this.#listener, protocol, by },
      });
      this.#labelled.set(key, counter);
    }
    counter.add();
  }

  /** A caller broke a rule of HTTP. @param rule from the codec's closed set */
  protocolError(rule: string): void {
    this.#count(
      'tulle_listener_downstream_cx_protocol_error_total',
      'Requests that broke a rule of HTTP',
      'rule',
      rule,
    );
  }

  connectionFault(kind: string): void {
    this.#count(
      'tulle_listener_downstream_cx_destroy_remote_total',
      'Connections that ended by a fault',
      'kind',
      kind,
    );
  }

  /** @param reason from the closed set of `@tulle/spiffe` */
  tlsRefused(reason: string): void {
    const key = `tls:${reason}`;
    let counter = this.#labelled.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter('tulle_tls_refused_total', {
        help: 'TLS peers that were refused',
        labels: { side: 'downstream', reason },
      });
      this.#labelled.set(key, counter);
    }
    counter.add();
  }

  #count(name: string, help: string, label: string, value: string): void {
    const key = `${label}:${value}`;
    let counter = this.#labelled.get(key);
    if (counter === undefined) {
      counter = this.#meter.counter(name, { help, labels: { listener: this.#listener, [label]: value } });
      this.#labelled.set(key, counter);
    }
    counter.add();
  }
}
