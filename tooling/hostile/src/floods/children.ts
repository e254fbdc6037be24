import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A program of this directory in a process of its own, asked one thing at a time. */
export class Child<Order, Reply> {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  #waiting: Promise<unknown> = Promise.resolve();

  constructor(program: string, args: readonly string[] = [], execArgv: readonly string[] = []) {
    this.#process = fork(new URL(program, import.meta.url), [...args], {
      execArgv: [...execArgv],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#exited = once(this.#process, 'exit');
  }

  /** The next message. @throws Error when the process ends instead */
  async reply(): Promise<Reply> {
    const ended = this.#exited.then(([code, signal]): never => {
      throw new Error(`a process of the floods ended: ${String(code ?? signal)}`);
    });
    const [message] = (await Promise.race([once(this.#process, 'message'), ended])) as [Reply];
    return message;
  }

  /** Sends an order once those before are answered. */
  ask(order: Order): Promise<Reply> {
    const asked = this.#waiting.then(() => {
      const reply = this.reply();
      this.#process.send(order as object);
      return reply;
    });
    this.#waiting = asked.catch(() => {});
    return asked;
  }

  async stop(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#exited;
  }
}
