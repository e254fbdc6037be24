/** Shares of a certificate's life at which somebody is told that it is still in use. */
export const expiryShares = [0.5, 0.75, 0.9] as const;

export type ExpiryShare = (typeof expiryShares)[number];

/** A span of time for which something is good. */
export interface Life {
  /** Names it: another name is another life. */
  readonly id: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Tells once for each share of a life that is over. */
export interface ExpiryAlarm {
  /** The highest share that is over and was not told yet; undefined when there is nothing new. */
  passed(life: Life, nowMs: number): ExpiryShare | undefined;
  /** When the next share will be over; Infinity when none is left. */
  nextAtMs(life: Life): number;
}

/** Remembers one life: the next one (another id) begins anew. */
export function expiryAlarm(): ExpiryAlarm {
  let id = '';
  let told = 0;
  const atMs = (life: Life, share: number): number => life.fromMs + (life.untilMs - life.fromMs) * share;
  const begin = (life: Life): void => {
    if (life.id === id) return;
    id = life.id;
    told = 0;
  };
  return {
    passed(life, nowMs) {
      begin(life);
      const over = expiryShares.filter((share) => nowMs >= atMs(life, share));
      if (over.length <= told) return undefined;
      told = over.length;
      return over.at(-1);
    },
    nextAtMs(life) {
      begin(life);
      const next = expiryShares[told];
      return next === undefined ? Infinity : atMs(life, next);
    },
  };
}
