import { ByteWriter, type FieldTable } from '@tulle/fields';
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  CONNECTION_CLOSE,
  CONNECTION_PERSIST,
  RequestDecoder,
  ResponseDecoder,
  stripHopByHop,
  writeChunk,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
  type RequestHead,
  type ResponseHead,
} from '@tulle/http1';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOSTILE_REQUESTS, HOSTILE_RESPONSES, MARK, ODD_REQUESTS, ODD_RESPONSES } from './corpus/index.ts';
import { judgeByNode } from './node-judge.ts';
import { checkRequest, checkResponse } from './strict-check.ts';

/** One message as the codec read it, and as a proxy would send it on. */
interface Read {
  method: string;
  target: string;
  body: string;
  forwarded: string;
}

/** Reads with the codec, and writes every whole message again. */
function readRequests(bytes: Buffer, cutAt: number): { read: Read[]; end: number } {
  const read: Read[] = [];
  let head: RequestHead | undefined;
  let parts: Buffer[] = [];
  let trailers: FieldTable | undefined;
  const decoder: RequestDecoder = new RequestDecoder({
    onHead: (it) => void ((head = it), (parts = []), (trailers = undefined)),
    onData: (chunk, start, end) => void parts.push(Buffer.from(chunk.subarray(start, end))),
    onTrailers: (it) => void (trailers = it),
    onComplete() {
      const { method, target, path, authority, fields, connectionNames, bodyKind, contentLength } =
        head as RequestHead;
      const out = new ByteWriter();
      const framing = {
        bodyKind,
        contentLength,
        connection: CONNECTION_PERSIST,
        upgrade: undefined,
      } as const;
      stripHopByHop(fields, connectionNames);
      const fault = writeRequestHead(
        out,
        method,
        method === 'CONNECT' ? target : path,
        authority === '' ? 'origin.test' : authority,
        fields,
        framing,
      );
      if (fault !== undefined) throw new Error(fault.reason);
      for (const part of parts) {
        if (bodyKind === BODY_CHUNKED) writeChunk(out, part);
        else out.bytes(part);
      }
      if (bodyKind === BODY_CHUNKED) writeLastChunk(out, trailers);
      read.push({
        method,
        target,
        body: Buffer.concat(parts).toString('latin1'),
        forwarded: out.detach().toString('latin1'),
      });
    },
    onFault() {},
  });
  let end = 0;
  for (const limit of [Math.min(cutAt, bytes.length), bytes.length]) {
    for (let taken = 1; end < limit && decoder.phase !== 'failed' && taken > 0;)
      end += taken = decoder.execute(bytes, end, limit);
  }
  return { read, end };
}

const spice = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '%',
  '#',
  '0',
  '\r\n',
  '\r\n\r\n',
  '\n\n',
  'chunked',
  'Content-Length: 1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: b\r\n',
  '\xff',
  'HTTP/1.0',
  '0\r\n\r\n',
  ' \r\n',
  'http://',
];
const edits = fc.array(
  fc.tuple(
    fc.nat(400),
    fc.nat(3),
    fc.oneof(
      fc.constantFrom(...spice),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    ),
  ),
  { maxLength: 3 },
);
const mutate = (seed: string, list: readonly [number, number, string][]): string =>
  list.reduce(
    (text, [at, cut, insert]) =>
      `${text.slice(0, at % (text.length + 1))}${insert}${text.slice((at % (text.length + 1)) + cut)}`,
    seed,
  );

const requestSeeds = [...ODD_REQUESTS, ...HOSTILE_REQUESTS]
  .map(({ send }) => send.replaceAll(MARK, 'm00000'))
  .filter((send) => send.length < 1000);
const responseSeeds = [...ODD_RESPONSES, ...HOSTILE_RESPONSES]
  .map(({ reply }) => reply)
  .filter((reply) => reply.length < 1000);

describe('the codec against the independent check', () => {
  it('never accepts a request that the check refuses, reads it alike, and sends on what the check accepts', () => {
    fc.assert(
      fc.property(fc.constantFrom(...requestSeeds), edits, fc.nat(400), (seed, list, cutAt) => {
        const text = mutate(seed, list);
        const { read } = readRequests(Buffer.from(text, 'latin1'), cutAt);
        let at = 0;
        for (const it of read) {
          if (text.startsWith('\r\n', at)) at += 2;
          const checked = checkRequest(text, at);
          expect(checked.kind === 'invalid' ? checked.why : checked.kind).toBe('whole');
          if (checked.kind !== 'whole') return;
          expect([it.method, it.target, it.body]).toEqual([
            checked.message.method,
            checked.message.target,
            checked.message.body,
          ]);
          at = checked.message.end;
          const again = checkRequest(it.forwarded);
          expect(again.kind === 'invalid' ? again.why : again.kind).toBe('whole');
          if (again.kind === 'whole')
            expect([again.message.body, again.message.end]).toEqual([it.body, it.forwarded.length]);
        }
      }),
      { numRuns: 6000 },
    );
  });

  it('sends on nothing that the strict parser of Node refuses or reads otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...requestSeeds), edits, async (seed, list) => {
        const { read } = readRequests(Buffer.from(mutate(seed, list), 'latin1'), 50);
        for (const it of read.filter(({ method }) => method !== 'CONNECT')) {
          const verdict = await judgeByNode(Buffer.from(it.forwarded, 'latin1'));
          expect(verdict).toMatchObject({
            error: undefined,
            requests: [{ method: it.method, body: it.body }],
          });
          expect(verdict.requests).toHaveLength(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never accepts a response that the check refuses, reads it alike, and sends on what the check accepts', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...responseSeeds),
        edits,
        fc.constantFrom('GET', 'HEAD'),
        (seed, list, method) => {
          const text = mutate(seed, list);
          const bytes = Buffer.from(text, 'latin1');
          let final: ResponseHead | undefined;
          let whole = false;
          let faulty = false;
          const parts: Buffer[] = [];
          const decoder = new ResponseDecoder({
            onHead: (head) => void (final = head),
            onInformational() {},
            onData: (chunk, start, end) => void parts.push(Buffer.from(chunk.subarray(start, end))),
            onTrailers() {},
            onComplete: () => void (whole = true),
            onFault: () => void (faulty = true),
          });
          decoder.expect(method);
          decoder.execute(bytes);
          // several interim responses come in one call; a final one ends it
          if (!whole && !faulty) decoder.finish();
          if (!whole || final === undefined) return;
          let at = 0;
          for (;;) {
            const [line] = text.slice(at).split('\r\n', 1) as [string];
            // the one leniency: no blank before an absent reason
            if (/^HTTP\/1\.[01] \d{3}$/.test(line)) return;
            const checked = checkResponse(text, at, method, true);
            expect(checked.kind === 'invalid' ? checked.why : checked.kind).toBe(
              checked.kind === 'invalid' && / in 204/.test(checked.why) ? checked.why : 'whole',
            );
            if (checked.kind !== 'whole') return;
            at = checked.message.end;
            if (checked.message.status < 200) continue;
            expect([final.status, Buffer.concat(parts).toString('latin1')]).toEqual([
              checked.message.status,
              checked.message.body,
            ]);
            break;
          }
          const out = new ByteWriter();
          const { bodyKind, contentLength } = final;
          stripHopByHop(final.fields, final.connectionNames);
          const framing = {
            bodyKind,
            contentLength,
            connection: bodyKind === BODY_CLOSE ? CONNECTION_CLOSE : CONNECTION_PERSIST,
            upgrade: undefined,
          } as const;
          expect(
            writeResponseHead(
              out,
              { method, minorVersion: 1 },
              final.status,
              final.reason,
              final.fields,
              framing,
            ),
          ).toBeUndefined();
          for (const part of parts) {
            if (bodyKind === BODY_CHUNKED) writeChunk(out, part);
            else out.bytes(part);
          }
          if (bodyKind === BODY_CHUNKED) writeLastChunk(out);
          const forwarded = out.detach().toString('latin1');
          const again = checkResponse(forwarded, 0, method, true);
          expect(again.kind === 'invalid' ? again.why : again.kind).toBe('whole');
        },
      ),
      { numRuns: 6000 },
    );
  });
});
