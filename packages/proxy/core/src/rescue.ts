import { errorRow, type ErrorCode } from '@tulle/filter';
import type { Http1Fault } from '@tulle/http1';
import { recordFailure } from './chain/reply.ts';
import { abortResponse, carryOutReply } from './chain/response.ts';
import { SITE_BROKEN } from './stream/sites.ts';
import { AT_END, type Stream } from './stream/stream.ts';

/**
 * The one door by which errors leave: code → status, flag, details, keep or close, by the error table (D18).
 * Before the response began the caller gets an answer; afterwards a broken message, never a short one that looks whole.
 * @param details overrides the row's @param status likewise
 */
export function rescue(stream: Stream, code: ErrorCode, details?: string, status?: number): void {
  if (!stream.live || stream.phase === AT_END) return;
  if (stream.responseStarted) {
    const row = errorRow(code);
    stream.code = code;
    stream.details = details ?? row?.details ?? '';
    if (row !== undefined) stream.flag(row.flag);
    stream.note(SITE_BROKEN, row?.reason ?? 0, 0);
    abortResponse(stream);
    return;
  }
  recordFailure(stream, code, details, status);
  carryOutReply(stream);
}

/** The caller broke a rule of HTTP/1: answered with the rule's own status. */
export function rescueFault(stream: Stream, fault: Http1Fault): void {
  rescue(stream, fault.code, `http1.codec_error{${fault.rule}}`, fault.status);
}
