import { isUnixAddress, type ProxyConfig } from '@tulle/model';
import type { Supervisor } from '@tulle/supervisor';

// Not imported: see admin-front.ts of the supervisor.
const { request } = process.getBuiltinModule('node:http');

/** Who came in plain text to one port of the program; the control plane shows it (decision 014). */
export interface PlaintextReport {
  readonly port: number;
  readonly clients: readonly PlaintextClient[];
  /** Connections of clients beyond those. */
  readonly others: number;
}

interface PlaintextClient {
  readonly address: string;
  readonly connections: number;
  readonly lastSeenMs: number;
}

/** The admin page `/plaintext` of an engine. */
export interface PlaintextPage {
  readonly listeners: readonly {
    readonly address: string;
    readonly clients: readonly PlaintextClient[];
    readonly forgotten: number;
  }[];
}

/** Clients of a port that are told of: enough to see whom to move, little enough to say on the stream. */
const MAX_CLIENTS = 100;
/** An engine answers at once, or has other troubles. */
const PAGE_TIMEOUT_MS = 2_000;

/** Adds up what engine processes count, also of processes that have ended since. */
export class PlaintextTotals {
  /** Inbound port of the sidecar to port of the program. */
  readonly #ports: ReadonlyMap<number, number>;
  /** What each process said last, by its generation. */
  readonly #said = new Map<number, ReadonlyMap<string, number>>();
  readonly #totals = new Map<number, { clients: Map<string, PlaintextClient>; others: number }>();

  constructor(ports: readonly { readonly port: number; readonly inboundPort: number }[]) {
    this.#ports = new Map(ports.map(({ port, inboundPort }) => [inboundPort, port]));
  }

  /** @returns whether anything is new */
  take(generation: number, page: PlaintextPage): boolean {
    const before = this.#said.get(generation);
    const now = new Map<string, number>();
    let news = false;
    for (const { address, clients, forgotten } of page.listeners) {
      const port = this.#ports.get(Number(/:(\d+)$/.exec(address)?.[1]));
      if (port === undefined) continue;
      const total = this.#totals.get(port) ?? { clients: new Map<string, PlaintextClient>(), others: 0 };
      this.#totals.set(port, total);
      const grown = (key: string, count: number): number => {
        now.set(key, count);
        return Math.max(0, count - (before?.get(key) ?? 0));
      };
      const lost = grown(`${port} forgotten`, forgotten);
      total.others += lost;
      news ||= lost > 0;
      for (const client of clients) {
        const more = grown(`${port} ${client.address}`, client.connections);
        if (more === 0) continue;
        news = true;
        const known = total.clients.get(client.address);
        total.clients.delete(client.address);
        total.clients.set(client.address, {
          address: client.address,
          connections: (known?.connections ?? 0) + more,
          lastSeenMs: Math.max(known?.lastSeenMs ?? 0, client.lastSeenMs),
        });
      }
      const byTime = [...total.clients.values()].toSorted((a, b) => b.lastSeenMs - a.lastSeenMs);
      for (const { address: gone, connections } of byTime.slice(MAX_CLIENTS)) {
        total.clients.delete(gone);
        total.others += connections;
      }
    }
    this.#said.set(generation, now);
    return news;
  }

  report(): PlaintextReport[] {
    return [...this.#totals].map(([port, { clients, others }]) => ({
      port,
      clients: [...clients.values()].toSorted((a, b) => b.lastSeenMs - a.lastSeenMs),
      others,
    }));
  }

  /** Processes that are gone say nothing more. */
  keepOnly(generations: readonly number[]): void {
    for (const generation of this.#said.keys())
      if (!generations.includes(generation)) this.#said.delete(generation);
  }
}

/** Whether some inbound port takes plain text beside mutual TLS. */
export function takesPlaintext({ listeners }: ProxyConfig): boolean {
  return listeners.some(
    ({ direction, filterChains }) =>
      direction === 'inbound' &&
      filterChains.some(({ tls }) => tls === undefined) &&
      filterChains.some(({ tls }) => tls !== undefined),
  );
}

/** Asks the engines now and then, while plain text is taken. */
export interface PlaintextWatch {
  /** A configuration is in use. */
  configured(config: ProxyConfig): void;
  /** What to tell the control plane; `undefined`: plain text is not taken. */
  report(): readonly PlaintextReport[] | undefined;
  stop(): void;
}

/**
 * @param changed called when the report is another than before
 * @param pollMs how often engines are asked. Default 10,000: whoever moves a mesh looks again within minutes
 */
export function watchPlaintext(
  supervisor: Pick<Supervisor, 'status'>,
  totals: PlaintextTotals,
  changed: () => void,
  pollMs = 10_000,
): PlaintextWatch {
  let timer: NodeJS.Timeout | undefined;
  const poll = async (): Promise<void> => {
    const { processes } = supervisor.status();
    let news = false;
    for (const { generation, adminAddress } of processes) {
      if (!isUnixAddress(adminAddress)) continue;
      const page = await pageOf(adminAddress.path).catch(() => undefined);
      if (page !== undefined) news = totals.take(generation, page) || news;
    }
    totals.keepOnly(processes.map(({ generation }) => generation));
    if (timer === undefined) return;
    if (news) changed();
    timer = setTimeout(() => void poll(), pollMs).unref();
  };
  return {
    configured(config) {
      const takes = takesPlaintext(config);
      if (takes === (timer !== undefined)) return;
      clearTimeout(timer);
      timer = takes ? setTimeout(() => void poll(), pollMs).unref() : undefined;
      if (!takes) changed();
    },
    report: () => (timer === undefined ? undefined : totals.report()),
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

function pageOf(socketPath: string): Promise<PlaintextPage> {
  return new Promise((resolve, reject) => {
    const asked = {
      socketPath,
      path: '/plaintext',
      headers: { host: 'localhost' },
      agent: false,
      timeout: PAGE_TIMEOUT_MS,
    };
    const req = request(asked, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      reply.on('error', reject);
      reply.on('end', () => {
        if (reply.statusCode !== 200) return reject(new Error(`status ${reply.statusCode}`));
        try {
          resolve(JSON.parse(text) as PlaintextPage);
        } catch (error) {
          reject(new Error('the page is no JSON', { cause: error }));
        }
      });
    });
    req.on('timeout', () => req.destroy(new Error(`no page within ${PAGE_TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}
