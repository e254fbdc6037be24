import { ttlOffsets, type Question } from './dns-message.ts';

/** Answers kept at a time. A program calls far fewer names. */
const MAX_ANSWERS = 1_000;
/** Of a query and its answer together; longer ones are asked again. By UDP there are seldom more (EDNS, RFC 6891). */
const MAX_ENTRY_BYTES = 4_096;
/** Nothing is kept longer, whatever its TTL says: a change is then seen in five minutes. */
const MAX_TTL_SECONDS = 300;

/** How somebody asks. */
export type DnsTransport = 'udp' | 'tcp';

interface Entry {
  readonly response: Buffer;
  readonly offsets: readonly number[];
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Answers of other resolvers, as long as they hold. */
export class DnsCache {
  readonly #entries = new Map<string, Entry>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns the answer to that very query by that transport, with what is left of its TTLs */
  find(query: Buffer, transport: DnsTransport): Buffer | undefined {
    const key = keyOf(query, transport);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const nowMs = this.#nowMs();
    if (nowMs >= entry.untilMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const response = Buffer.from(entry.response);
    query.copy(response, 0, 0, 2);
    const passed = Math.floor((nowMs - entry.sinceMs) / 1000);
    for (const at of entry.offsets)
      response.writeUInt32BE(Math.max(0, entry.response.readUInt32BE(at) - passed), at);
    return response;
  }

  keep(query: Buffer, transport: DnsTransport, question: Question, response: Buffer): void {
    if (query.length + response.length > MAX_ENTRY_BYTES) return;
    const offsets = ttlOffsets(response, question);
    if (offsets === undefined || offsets.length === 0) return;
    const ttl = Math.min(MAX_TTL_SECONDS, ...offsets.map((at) => response.readUInt32BE(at)));
    if (ttl === 0) return;
    const nowMs = this.#nowMs();
    const key = keyOf(query, transport);
    this.#entries.delete(key); // to the end: the oldest go first
    this.#entries.set(key, {
      response: Buffer.from(response),
      offsets,
      sinceMs: nowMs,
      untilMs: nowMs + ttl * 1000,
    });
    if (this.#entries.size > MAX_ANSWERS) this.#entries.delete(this.#entries.keys().next().value as string);
  }
}

/**
 * Everything but the id: whoever asks with other flags or options may get another answer, and whoever asks by UDP none that is
 * longer than UDP takes (RFC 1035 §4.2.1).
 */
function keyOf(query: Buffer, transport: DnsTransport): string {
  return transport + query.toString('latin1', 2);
}
