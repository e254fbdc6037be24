import { describe, expect, it } from 'vitest';
import { HOSTILE_REQUESTS, MARK, ODD_REQUESTS, ODD_RESPONSES } from './corpus/index.ts';
import { judgeByNode } from './node-judge.ts';
import { checkRequest, checkResponse } from './strict-check.ts';

const text = (send: string): string => send.replaceAll(MARK, 'm00000').replace(/^\r\n/, '');

/** Reads as many requests as there are. */
function readAll(send: string): { requests: number; end: string } {
  let at = 0;
  for (let requests = 0; ; requests++) {
    while (requests > 0 && send.startsWith('\r\n', at)) at += 2;
    if (at >= send.length) return { requests, end: 'clean' };
    const checked = checkRequest(send, at);
    if (checked.kind === 'whole') at = checked.message.end;
    else return { requests, end: checked.kind === 'partial' ? 'partial' : checked.why };
  }
}

describe('the strict check', () => {
  it('accepts every odd request of the corpus, with the body that is meant', () => {
    for (const { send, allowed, seen } of ODD_REQUESTS) {
      expect(readAll(text(send)), send.slice(0, 200)).toEqual({ requests: allowed, end: 'clean' });
      const first = checkRequest(text(send));
      if (first.kind === 'whole' && seen?.[0]?.body !== undefined)
        expect(first.message.body).toBe(text(seen[0].body));
    }
  });

  it('accepts every odd response of the corpus, but the length in a 204 that a proxy repairs', () => {
    for (const { reply, method, body, status } of ODD_RESPONSES) {
      let at = 0;
      for (;;) {
        const checked = checkResponse(reply, at, method ?? 'GET', true);
        if (checked.kind === 'invalid' && checked.why === 'framing fields in 204') break;
        expect(checked.kind, reply.slice(0, 200)).toBe('whole');
        if (checked.kind !== 'whole') break;
        at = checked.message.end;
        if (checked.message.status < 200 && checked.message.status !== 101) continue;
        expect(checked.message.status).toBe(status);
        if (status !== 101) expect(checked.message.body).toBe(body);
        break;
      }
    }
  });

  it('finds more whole requests in no hostile payload than are allowed, sizes and policies of a proxy apart', () => {
    const policy = new Set([
      'expectations',
      'sizes',
      'bodies that may not be',
      'Connection and Upgrade',
      'many trailers',
    ]);
    for (const { send, allowed, group } of HOSTILE_REQUESTS) {
      // A size is a proxy's policy, not grammar: the shortest such payload is a method of 5,000 letters.
      if (policy.has(group) || send.length > 4000) continue;
      const { requests } = readAll(text(send));
      if (/^CONNECT |HTTP\/0|^(?:get|Get) /.test(send)) continue; // CONNECT is refused by policy, methods are any token
      if (group === 'a valid request, then garbage' || group === 'Host') continue; // Connection: close, IPv6 digits
      expect(requests, JSON.stringify(send).slice(0, 200)).toBeLessThanOrEqual(allowed);
    }
  });

  it('waits for the rest of what is not whole', () => {
    for (const part of [
      'GET',
      'GET / HTTP/1.1\r',
      'GET / HTTP/1.1\r\nHost: a\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r',
    ]) {
      expect(checkRequest(part).kind, part).toBe('partial');
    }
    expect(checkResponse('HTTP/1.1 200 OK\r\n\r\nbody', 0, 'GET', false).kind).toBe('partial');
  });
});

describe('the judge of node:http', () => {
  it('reads what is valid, and says what is not', async () => {
    const valid =
      'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(await judgeByNode(Buffer.from(valid))).toEqual({
      requests: [
        { method: 'POST', target: '/a', body: 'hello' },
        { method: 'GET', target: '/b', body: '' },
      ],
      error: undefined,
    });
    for (const invalid of [
      'GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell',
    ]) {
      expect((await judgeByNode(Buffer.from(invalid))).error, invalid).toBeDefined();
    }
  });
});
