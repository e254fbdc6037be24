import type { Target } from '../client.ts';

/** How an attack ended, as the attacker saw it. */
export interface Outcome {
  /** Milliseconds from its first octet until the proxy had ended all of it; undefined: it went on until the time was over. */
  readonly overAfterMs: number | undefined;
  readonly bytesSent: number;
  /** Connections or streams that it held. */
  readonly held: number;
  /** Something that is wrong whatever else was measured. */
  readonly fault?: string;
}

/** What an attack promises to be, and how it is bounded. */
export interface AttackTerms {
  readonly what: string;
  /** The proxy must have ended it by then; absent: it may go on, at bounded cost. */
  readonly overWithinMs?: number;
  /** What the proxy's memory may grow by; default {@link MEMORY_BYTES}. */
  readonly memoryBytes?: number;
}

/** A client that attacks the listener. */
export interface ClientAttack extends AttackTerms {
  readonly run: (target: Target) => Promise<Outcome>;
}

/** Frame floods end within a second (promise 2); the rest is what two busy cores may add. */
export const FLOOD_OVER_MS = 1000;
/** How long an attack is kept up when nothing ends it. */
export const ATTACK_MS = 2500;
/** Growth allowed by default: a few times what V8 leaves uncollected under any load. */
export const MEMORY_BYTES: number = 64 << 20;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
