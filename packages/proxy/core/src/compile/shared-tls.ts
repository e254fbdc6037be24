import type { ServerTls } from '../ports.ts';

/** TLS of filter chains, kept over generations as long as its configuration means the same; closed with its last user. */
export class SharedTls {
  readonly tls: ServerTls;
  #users = 0;
  #closed = false;

  constructor(tls: ServerTls) {
    this.tls = tls;
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    this.closeIfUnused();
  }

  closeIfUnused(): void {
    if (this.#users > 0 || this.#closed) return;
    this.#closed = true;
    this.tls.close();
  }
}
