import { FieldTable, LAST_FORBIDDEN_TRAILER } from '@tulle/fields';
import type { Http2Rule } from './faults.ts';
import { MessageFields } from './message-fields.ts';
import type { Http2Options } from './options.ts';

/** Reads trailer sections (RFC 9113 §8.1). One table, used again. */
export class TrailerFields extends MessageFields {
  readonly #fields: FieldTable = new FieldTable();

  constructor(options: Http2Options) {
    super(options.maxTrailerBytes, options.maxTrailers);
  }

  /** Before the block is decoded. */
  start(): void {
    this.#fields.reset();
    this.begin(this.#fields);
  }

  protected pseudo(): void {
    this.malformed('pseudo-unknown');
  }

  protected sizeRule(): Http2Rule {
    return 'trailer-size';
  }

  protected linesRule(): Http2Rule {
    return 'trailer-size';
  }

  /** After the block. @returns what makes the message malformed */
  finish(): Http2Rule | undefined {
    this.finishLines();
    this.end();
    return this.rule ?? this.answered;
  }

  /** The lines that may be trailers (RFC 9110 §6.5.1: the others may be discarded), undefined when there are none. */
  get lines(): FieldTable | undefined {
    if (this.#fields.length > 0) this.#fields.dropIds(1, LAST_FORBIDDEN_TRAILER);
    return this.#fields.length > 0 ? this.#fields : undefined;
  }
}
