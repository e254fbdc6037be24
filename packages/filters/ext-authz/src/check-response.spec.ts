import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCheckResponse } from './check-response.ts';
import { CheckResponseSchema } from './gen/envoy/service/auth/v3/external_auth_pb.js';

type Init = MessageInitShape<typeof CheckResponseSchema>;
const read = (init: Init) => readCheckResponse(create(CheckResponseSchema, init));
const header = (key: string, value: string, more: object = {}) => ({ header: { key, value }, ...more });
const ok = (value: object): Init => ({
  status: { code: 0 },
  httpResponse: { case: 'okResponse', value } as never,
});
const denied = (value: object, code = 7): Init => ({
  status: { code },
  httpResponse: { case: 'deniedResponse', value } as never,
});

describe('an answer', () => {
  it.each<[string, Init, string]>([
    ['with status OK', { status: { code: 0 } }, 'allowed'],
    ['with an OK response and no status', { httpResponse: { case: 'okResponse', value: {} } }, 'allowed'],
    ['with another status', { status: { code: 7 } }, 'denied'],
    [
      'with another status and an OK response',
      { status: { code: 16 }, httpResponse: { case: 'okResponse', value: {} } },
      'denied',
    ],
    ['with a refusal', denied({}), 'denied'],
    ['with a refusal and no status', { httpResponse: { case: 'deniedResponse', value: {} } }, 'denied'],
    ['with a refusal and status OK', denied({}, 0), 'failed'],
    ['that says nothing', {}, 'failed'],
    ['with an error', { status: { code: 13 }, httpResponse: { case: 'errorResponse', value: {} } }, 'failed'],
    [
      'with an error and status OK',
      { status: { code: 0 }, httpResponse: { case: 'errorResponse', value: {} } },
      'failed',
    ],
    ['with a refusal of status 42', denied({ status: { code: 42 } }), 'failed'],
    ['with a refusal of status 100', denied({ status: { code: 100 } }), 'failed'],
    ['with a refusal that is too long', denied({ body: 'x'.repeat(65_537) }), 'failed'],
    ['with a header that splits', ok({ headers: [header('x-a', 'a\r\nb: c')] }), 'failed'],
    ['with a name that splits', ok({ headers: [header('x-a: b\r\nx', 'a')] }), 'failed'],
    ['with an empty name', ok({ headers: [header('', 'a')] }), 'failed'],
    ['with a response header that splits', ok({ responseHeadersToAdd: [header('x-a', '\n')] }), 'failed'],
    ["with a refusal's header that splits", denied({ headers: [header('location', '/\r\n\r\n')] }), 'failed'],
  ])('%s is %s', (_what, init, kind) => {
    expect(read(init).kind).toBe(kind);
  });

  it('sets and removes headers and parameters of the request, but none that says who calls or that frames it', () => {
    expect(
      read(
        ok({
          headers: [
            header('X-User', 'Zoë'),
            header('x-more', '1', { append: true }),
            header('x-more', '2', { appendAction: 1 }),
            header('x-more', '3', { appendAction: 3 }),
            header('x-forwarded-for', '10.0.0.1'),
            header('X-Forwarded-Client-Cert', 'URI=spiffe://evil'),
            header('x-tulle-peer', 'x'),
            header('x-request-id', 'x'),
            header('forwarded', 'for=x'),
            header('host', 'evil.example'),
            header(':path', '/admin'),
            header('content-length', '0'),
            header('transfer-encoding', 'chunked'),
            header('connection', 'close'),
          ],
          headersToRemove: ['Authorization', 'x-forwarded-for', 'host', ':path', 'x-tulle-peer'],
          responseHeadersToAdd: [
            header('set-cookie', 'a=1', { append: true }),
            header('content-length', '3'),
          ],
          queryParametersToSet: [{ key: 'tenant', value: 'a b' }],
          queryParametersToRemove: ['token'],
        }),
      ),
    ).toEqual({
      kind: 'allowed',
      edits: [
        { name: 'x-user', value: Buffer.from('Zoë').toString('latin1'), how: 'set' },
        { name: 'x-more', value: '1', how: 'append' },
        { name: 'x-more', value: '2', how: 'add-if-absent' },
        { name: 'x-more', value: '3', how: 'set-if-present' },
      ],
      remove: ['authorization'],
      removeQuery: ['token'],
      setQuery: [['tenant', 'a b']],
      responseEdits: [{ name: 'set-cookie', value: 'a=1', how: 'append' }],
    });
  });

  it('refuses with status, headers and body of its own, 403 without', () => {
    expect(
      read(denied({ status: { code: 302 }, headers: [header('Location', '/login')], body: 'log in' })),
    ).toEqual({
      kind: 'denied',
      status: 302,
      headers: ['location', '/login'],
      body: 'log in',
    });
    expect(read({ status: { code: 7 } })).toMatchObject({ status: 403, headers: [], body: '' });
  });

  it('allows only when it says so, whatever the bytes', () => {
    const base = Buffer.from(
      toBinary(
        CheckResponseSchema,
        create(
          CheckResponseSchema,
          denied({ status: { code: 401 }, headers: [header('x', 'y')], body: 'no' }),
        ),
      ),
    );
    const mutated = fc
      .tuple(fc.nat(base.length - 1), fc.nat(255), fc.nat(base.length))
      .map(([at, octet, length]) =>
        Buffer.from(base.map((old, index) => (index === at ? octet : old))).subarray(0, length),
      );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated), (bytes) => {
        let message;
        try {
          message = fromBinary(CheckResponseSchema, bytes);
        } catch {
          return;
        }
        const { status, httpResponse } = message;
        if (readCheckResponse(message).kind !== 'allowed') return;
        expect(status === undefined ? httpResponse.case === 'okResponse' : status.code === 0).toBe(true);
        expect(httpResponse.case).not.toBe('deniedResponse');
      }),
      { numRuns: 3_000 },
    );
  });
});
