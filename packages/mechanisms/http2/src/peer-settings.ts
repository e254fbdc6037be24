import type { Http2Rule } from './faults.ts';
import {
  MAX_WINDOW_BYTES,
  PROTOCOL_FRAME_BYTES,
  PROTOCOL_WINDOW_BYTES,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './wire.ts';

const MAX_FRAME_BYTES = 16_777_215;

/** What the peer's SETTINGS say (RFC 9113 §6.5.2), from the protocol's own values on. */
export class PeerSettings {
  /** Compression table that our encoder may have. */
  tableBytes = 4096;
  /** Smallest of the values of the table size in the last frame: the table must have been that small once (RFC 7541 §4.2). */
  smallestTableBytes = 4096;
  maxConcurrentStreams: number = Number.POSITIVE_INFINITY;
  windowBytes: number = PROTOCOL_WINDOW_BYTES;
  frameBytes: number = PROTOCOL_FRAME_BYTES;
  /** Advice: the peer may refuse larger heads, or do worse. */
  maxHeadBytes: number = Number.POSITIVE_INFINITY;
  connectProtocol = false;

  /** Reads the entries of one frame, in order. @param fromServer whether the peer is the server @returns the first rule broken */
  read(bytes: Buffer, start: number, end: number, fromServer: boolean): Http2Rule | undefined {
    this.smallestTableBytes = Number.POSITIVE_INFINITY;
    for (let at = start; at < end; at += 6) {
      const rule = this.#entry(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), fromServer);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  #entry(id: number, value: number, fromServer: boolean): Http2Rule | undefined {
    switch (id) {
      case SETTINGS_HEADER_TABLE_SIZE:
        this.tableBytes = value;
        this.smallestTableBytes = Math.min(this.smallestTableBytes, value);
        return undefined;
      case SETTINGS_ENABLE_PUSH:
        return value > 1 || (value === 1 && fromServer) ? 'setting' : undefined;
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return undefined;
      case SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES) return 'setting-window';
        this.windowBytes = value;
        return undefined;
      case SETTINGS_MAX_FRAME_SIZE:
        if (value < PROTOCOL_FRAME_BYTES || value > MAX_FRAME_BYTES) return 'setting';
        this.frameBytes = value;
        return undefined;
      case SETTINGS_MAX_HEADER_LIST_SIZE:
        this.maxHeadBytes = value;
        return undefined;
      case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.connectProtocol)) return 'setting';
        this.connectProtocol = value === 1;
        return undefined;
      default:
        return undefined; // unknown ones are ignored
    }
  }
}
