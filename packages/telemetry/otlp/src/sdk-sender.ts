import type { Agent, AgentOptions } from 'node:http';
import { Socket } from 'node:net';
import type { ResolvedTarget } from './target.ts';

/** What an export ended with, as the SDK says it. */
export interface SdkResult {
  readonly code: number;
  readonly error?: Error;
}

/** The SDK's exporters, as far as they are used. */
export interface SdkExporter<Items> {
  export(items: Items, done: (result: SdkResult) => void): void;
  shutdown(): Promise<void>;
}

/** Exports at a time: one after the other, but several in a flush, and what was given up may still be ending. */
export const MAX_CONCURRENT = 16;
/** Stands before the exporter's own name. */
export const USER_AGENT = 'tulle';
/** `ExportResultCode.SUCCESS`. */
const SUCCESS = 0;
/** An export that outlives its timeout by so much is given up with its connection. */
const GRACE_MS = 1_000;

/**
 * Sends one batch after the other with an exporter of the SDK, and never waits longer for one than its timeout: the
 * exporter's own bounds the silence of a collector, not a response that comes byte by byte.
 */
export class SdkSender<Items> {
  readonly #exporter: SdkExporter<Items>;
  readonly #agents: Agents;
  readonly #deadlineMs: number;

  constructor(exporter: SdkExporter<Items>, agents: Agents, timeoutMs: number) {
    this.#exporter = exporter;
    this.#agents = agents;
    this.#deadlineMs = timeoutMs + GRACE_MS;
  }

  /**
   * @param items kept until `done`
   * @param done called once: `undefined` for a success, else why not
   */
  send(items: Items, done: (error: Error | undefined) => void): void {
    let over = false;
    const finish = (error: Error | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(deadline);
      done(error);
    };
    const deadline = setTimeout(() => {
      finish(new Error(`the collector did not finish its answer within ${this.#deadlineMs} ms`));
      this.#agents.destroy();
    }, this.#deadlineMs);
    deadline.unref();
    try {
      this.#exporter.export(items, ({ code, error }) =>
        finish(code === SUCCESS ? undefined : (error ?? new Error('the export failed'))),
      );
    } catch (error) {
      finish(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#agents.close();
    await this.#exporter.shutdown();
  }
}

/** Connections of one exporter, so that they can be ended. */
export class Agents {
  readonly #tls: ResolvedTarget['tls'];
  readonly #made: Agent[] = [];

  constructor(target: ResolvedTarget) {
    this.#tls = target.tls;
  }

  make(protocol: string): Agent {
    // An import would evaluate every export, and with `WebSocket` a whole HTTP client.
    const http = process.getBuiltinModule('node:http');
    // No request ever waits for a connection inside the agent.
    const options: AgentOptions = { keepAlive: true, maxSockets: MAX_CONCURRENT };
    const agent =
      protocol === 'http:'
        ? new http.Agent(options)
        : new (process.getBuiltinModule('node:https').Agent)({ ...options, ...this.#tls });
    this.#made.push(agent);
    return agent;
  }

  /** Ends every connection; new ones may be made. */
  destroy(): void {
    for (const agent of this.#made) agent.destroy();
  }

  /** Ends every connection, and makes a retry that comes later fail instead of connecting again. */
  close(): void {
    for (const agent of this.#made) {
      agent.createConnection = (_options, callback) => {
        callback?.(new Error('the exporter is closed'), new Socket());
        return undefined;
      };
      agent.destroy();
    }
  }
}

/** What the exporters take. */
export function exporterConfig(target: ResolvedTarget, agents: Agents): object {
  return {
    url: target.url,
    headers: { ...target.headers },
    timeoutMillis: target.timeoutMs,
    compression: target.compression,
    concurrencyLimit: MAX_CONCURRENT,
    httpAgentOptions: (protocol: string) => agents.make(protocol),
    userAgent: USER_AGENT,
  };
}
