import {
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type BrotliCompress,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib';
import type { CompressionCoding } from '@tulle/model';

/** 2^18 octets: large enough for a page, and a quarter of the memory of the libraries' own choice. */
const WINDOW_LOG = 18;

type Compressor = Gzip | BrotliCompress | ZstdCompress;

/** Compresses one body, piece by piece, on zlib's threads. Each piece can be read as soon as it arrives: streams must not wait. */
export class Encoder {
  readonly #compressor: Compressor;
  #pieces: Buffer[] = [];
  #closed = false;

  constructor(coding: CompressionCoding, level: number) {
    this.#compressor = create(coding, level);
    this.#compressor.on('data', (piece: Buffer) => this.#pieces.push(piece));
    // Told through the callbacks as well; without a listener it would end the process.
    this.#compressor.on('error', () => {});
  }

  /** @returns what can be sent on; after the last piece, all the rest. Rejects when it was closed meanwhile */
  async push(bytes: Uint8Array, end: boolean): Promise<readonly Buffer[]> {
    if (bytes.length > 0) await this.#write(bytes);
    if (end) await this.#end();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Frees what zlib holds; harmless when it ended by itself. */
  close(): void {
    this.#closed = true;
    this.#compressor.destroy();
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#compressor.write(bytes, (error) => (error == null ? resolve() : reject(error)));
    });
  }

  #end(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#compressor.once('end', resolve);
      this.#compressor.once('error', reject);
      this.#compressor.once('close', () => reject(new Error('closed')));
      this.#compressor.end();
    });
  }
}

function create(coding: CompressionCoding, level: number): Compressor {
  switch (coding) {
    case 'gzip':
      return createGzip({ level, flush: constants.Z_SYNC_FLUSH });
    case 'br':
      return createBrotliCompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level,
          [constants.BROTLI_PARAM_LGWIN]: WINDOW_LOG,
        },
      });
    case 'zstd':
      return createZstdCompress({
        flush: constants.ZSTD_e_flush,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: WINDOW_LOG,
        },
      });
  }
}
