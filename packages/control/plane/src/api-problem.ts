import type { ConfigIssue, ErrorCode } from '@tulle/filter';
import type { FastifyReply } from 'fastify';
import type { Diagnostic } from '@tulle/resources';

/** Answers with what went wrong (RFC 9457). */
export function problem(
  reply: FastifyReply,
  status: number,
  code: ErrorCode | `TULLE${number}`,
  detail: string,
  hint?: string,
  issues?: readonly Diagnostic[],
  faults?: readonly ConfigIssue[],
): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        status,
        code,
        detail,
        ...(hint === undefined ? {} : { hint }),
        ...(issues === undefined ? {} : { issues }),
        ...(faults === undefined ? {} : { faults }),
      }),
    );
}
