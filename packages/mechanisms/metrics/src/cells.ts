/** A run of numbers in a chunk: where one instrument keeps its values. */
export interface CellRun {
  readonly chunk: Float64Array;
  readonly at: number;
  readonly length: number;
}

const CHUNK_CELLS = 4096;

/**
 * Gives out runs of a Float64Array. Chunks never move, so an instrument writes straight into its run for life; runs
 * given back are reused for runs of the same length.
 */
export interface CellStore {
  take(length: number): CellRun;
  /** Nobody may write to the run afterwards. */
  giveBack(run: CellRun): void;
}

/** Makes a store; it grows by chunks of 4,096 numbers (32 KiB). */
export function createCellStore(): CellStore {
  const free = new Map<number, CellRun[]>();
  let chunk = new Float64Array(CHUNK_CELLS);
  let used = 0;
  return {
    take(length) {
      const reused = free.get(length)?.pop();
      if (reused !== undefined) {
        reused.chunk.fill(0, reused.at, reused.at + length);
        return reused;
      }
      if (used + length > chunk.length) {
        chunk = new Float64Array(Math.max(CHUNK_CELLS, length));
        used = 0;
      }
      const run: CellRun = { chunk, at: used, length };
      used += length;
      return run;
    },
    giveBack(run) {
      const list = free.get(run.length);
      if (list === undefined) free.set(run.length, [run]);
      else list.push(run);
    },
  };
}
