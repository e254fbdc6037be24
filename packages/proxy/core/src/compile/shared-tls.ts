import { SharedUse } from './shared-use.ts';
import type { ServerTls } from '../ports.ts';

/** TLS of filter chains, kept over generations as long as its configuration means the same; closed with its last user. */
export class SharedTls extends SharedUse {
  readonly tls: ServerTls;

  constructor(tls: ServerTls) {
    super();
    this.tls = tls;
  }

  protected override end(): void {
    this.tls.close();
  }
}
