import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import {
  constants,
  monitorEventLoopDelay,
  PerformanceObserver,
  type PerformanceEntry,
} from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { ProxyOptions } from '../options.ts';
import { BUSY_SHARE } from '../overload/options.ts';
import type { ResourceMonitor, ResourceUse } from '../ports.ts';

/** How often the event loop is asked how late it is: fine enough to see 10 ms, coarse enough to cost nothing. */
const LOOP_RESOLUTION_MS = 20;

/** Reads what this process uses of its means. @param cpuMs processor time that it had so far */
export function nodeResourceMonitor(cpuMs: () => number = cpuMsOfProcess): ResourceMonitor {
  return new NodeResourceMonitor(cpuMs);
}

/** Who watches a proxy: a transport that is not Node's own comes with a process of its own, or with none. */
export function monitorOf({ monitor, overload, transport }: ProxyOptions): ResourceMonitor | undefined {
  if (monitor === false || overload === false) return undefined;
  return monitor ?? (transport === undefined ? nodeResourceMonitor() : undefined);
}

class NodeResourceMonitor implements ResourceMonitor {
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  /** Whether {@link #loop} counts. */
  #counting = false;
  readonly #cpu: () => number;
  #cpuMs: number;
  #readMs = performance.now();
  readonly #cpuLimit = cpuLimit();
  #collections: PerformanceObserver | undefined;
  readonly #memoryLimitBytes = memoryLimitBytes();
  readonly #openFilesLimit = openFilesLimit();
  /** What was left after the last full collection. */
  #heapBytes = 0;
  #onIteration: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(cpuMs: () => number) {
    this.#cpu = cpuMs;
    this.#cpuMs = cpuMs();
  }

  read(into: ResourceUse): void {
    this.#collections ??= watchCollections(() => {
      this.#heapBytes = getHeapStatistics().used_heap_size;
    });
    into.heapBytes = this.#heapBytes;
    into.heapLimitBytes = getHeapStatistics().heap_size_limit;
    into.rssBytes = process.memoryUsage.rss();
    into.memoryLimitBytes = this.#memoryLimitBytes;
    into.openFilesLimit = this.#openFilesLimit;
    into.loopDelayMs = this.#loopDelayMs(into);
  }

  #loopDelayMs(into: ResourceUse): number {
    const usedMs = this.#cpu();
    const nowMs = performance.now();
    const share = (usedMs - this.#cpuMs) / Math.max(nowMs - this.#readMs, 1) / this.#cpuLimit;
    this.#cpuMs = usedMs;
    this.#readMs = nowMs;
    // The histogram has whole periods. The median, since one long period (a collection, a process that was stopped) is no
    // overload.
    const delayMs =
      this.#counting && this.#loop.count > 0
        ? Math.max(this.#loop.percentile(50) / 1e6 - LOOP_RESOLUTION_MS, 0)
        : 0;
    const busy = share >= BUSY_SHARE;
    into.busyShare = share;
    if (busy !== this.#counting) {
      if (busy) this.#loop.enable();
      else this.#loop.disable();
      this.#counting = busy;
    }
    this.#loop.reset();
    return busy ? delayMs : 0;
  }

  watchIterations(onIteration: (() => void) | undefined): void {
    this.#onIteration = onIteration;
    if (onIteration === undefined) {
      if (this.#immediate !== undefined) clearImmediate(this.#immediate);
      this.#immediate = undefined;
    } else this.#immediate ??= setImmediate(this.#iterate);
  }

  afterIteration(callback: () => void): void {
    setImmediate(callback);
  }

  /** After the poll of one iteration, so before what the next one does. */
  readonly #iterate = (): void => {
    this.#immediate = setImmediate(this.#iterate);
    this.#onIteration?.();
  };

  close(): void {
    this.watchIterations(undefined);
    this.#loop.disable();
    this.#collections?.disconnect();
    this.#collections = undefined;
  }
}

/** Nothing is watched before somebody reads. */
function watchCollections(onFull: () => void): PerformanceObserver {
  const observer = new PerformanceObserver((list) => {
    if (list.getEntries().some(isFullCollection)) onFull();
  });
  observer.observe({ entryTypes: ['gc'] });
  return observer;
}

function isFullCollection(entry: PerformanceEntry): boolean {
  const { detail } = entry as { readonly detail?: { readonly kind?: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

function cpuMsOfProcess(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** What the loop can have of a processor: one, or less where the cgroup has a quota. */
function cpuLimit(): number {
  try {
    const [quota = 'max', period = '100000'] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').split(' ');
    return quota === 'max' ? 1 : Math.min(1, Number(quota) / Number(period)) || 1;
  } catch {
    return 1; // no cgroup of version 2
  }
}

/** The cgroup's; 0 where there is none, which is then said by a number past what the machine has. */
function memoryLimitBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : 0;
}

/** 0 where it is not known. */
function openFilesLimit(): number {
  try {
    const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === '' ? 0 : Number(soft);
  } catch {
    return 0; // not on Linux
  }
}
