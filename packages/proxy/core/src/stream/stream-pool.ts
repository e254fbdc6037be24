import type { Services } from '../services.ts';
import { Stack } from '../stack.ts';
import { Stream } from './stream.ts';

/** Stream objects at rest. One that a hook's promise still holds on to comes back when that settles, or never. */
export class StreamPool {
  readonly #engine: Services;
  readonly #spare: Stack<Stream> = new Stack<Stream>();
  /** Streams under way. */
  active = 0;

  constructor(engine: Services) {
    this.#engine = engine;
  }

  /** A stream counts as active from its `begin` on. */
  take(): Stream {
    return this.#spare.pop() ?? new Stream(this.#engine);
  }

  /** A stream completed and was reset. */
  ended(stream: Stream): void {
    this.active--;
    if (stream.pendingHooks > 0) this.#engine.metrics.streamsDropped.add();
    else this.put(stream);
  }

  /** Makes the object available again. */
  put(stream: Stream): void {
    if (this.#spare.size < this.#engine.limits.maxPooledStreams) this.#spare.push(stream);
    else this.#engine.metrics.streamsNotPooled.add();
  }
}
