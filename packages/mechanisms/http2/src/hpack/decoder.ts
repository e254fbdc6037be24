import { HPACK_FAULTS, type HpackFault } from './faults.ts';
import type { HpackFieldSink } from './sink.ts';
import { STATIC_TABLE } from './static-table.ts';

/** Reads header blocks of one connection direction (RFC 7541 §3). */
export class HpackDecoder {
  readonly maxTableBytes: number;

  /** @param maxTableBytes our SETTINGS_HEADER_TABLE_SIZE; 4096 is the protocol's own */
  constructor(maxTableBytes = 4096) {
    this.maxTableBytes = maxTableBytes;
  }

  /** The peer acknowledged our SETTINGS: from now on the table is at most `maxTableBytes` (until then at most the larger of that and 4096). */
  acknowledged(): void {}

  /** Reads one whole block. @returns a connection error COMPRESSION_ERROR; the decoder must not be used after one */
  decode(block: Buffer, start: number, end: number, sink: HpackFieldSink): HpackFault | undefined {
    for (let at = start; at < end; at++) {
      const entry = STATIC_TABLE[(block[at] as number) & 127];
      if (entry === undefined) return HPACK_FAULTS['hpack-index'];
      sink.onField(entry.id, entry.name, entry.value, false);
    }
    return undefined;
  }
}
