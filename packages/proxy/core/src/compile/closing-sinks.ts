import type { LineFile, Sink } from '@tulle/telemetry';
import type { Closable, Services } from '../services.ts';
import { withDeadline } from '../deadline.ts';

/** As the other sinks have. */
const CLOSE_DEADLINE_MS = 5_000;

/** What is closed of a sink. */
type Closing = Pick<Sink, 'name' | 'close'>;

const NOBODY: Closable = { close() {} };

/** Sinks of chains, and files of clusters, that are gone, while they send what they hold. */
export class ClosingSinks {
  readonly #closing = new Set<Promise<void>>();
  readonly #hosts = new Set<Closable>();
  #over = false;

  /** Closes sinks, then the host by which they call; a failure is logged. */
  close(engine: Services, host: Closable, sinks: readonly Closing[]): void {
    this.#hosts.add(host);
    const closed: Promise<void> = Promise.all(sinks.map(async (sink) => closeOne(engine, sink))).then(() => {
      host.close();
      this.#hosts.delete(host);
      this.#closing.delete(closed);
    });
    this.#closing.add(closed);
    if (this.#over) host.close();
  }

  /** Likewise files that lines were appended to. @param name for the log */
  closeFiles(engine: Services, name: string, files: readonly LineFile[]): void {
    if (files.length > 0)
      this.close(
        engine,
        NOBODY,
        files.map((file) => ({ name, close: async () => file.close() })),
      );
  }

  /**
   * Waits until all of them are closed, as long as calls can still be made.
   * @param limitMs then what they call is given up, and what they hold is lost; they say so themselves
   */
  async end(engine: Services, limitMs: number): Promise<void> {
    if (this.#closing.size > 0)
      await withDeadline(engine, Promise.all(this.#closing), limitMs, () => new Error()).catch(() => {});
    this.#over = true;
    for (const host of this.#hosts) host.close();
    await Promise.all(this.#closing);
  }
}

async function closeOne(engine: Services, sink: Closing): Promise<void> {
  try {
    await withDeadline(
      engine,
      Promise.resolve(sink.close?.()),
      CLOSE_DEADLINE_MS,
      () => new Error(`not done after ${CLOSE_DEADLINE_MS} ms; what it held is lost`),
    );
  } catch (error) {
    engine.log.error(
      `${sink.name} failed to close: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
