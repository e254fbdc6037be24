import type { Log } from '@tulle/filter';
import { describe, expect, it } from 'vitest';
import { fakeClock } from '../tests/fake-clock.ts';
import type { CaEvent, CaRefusedEvent } from './ca-events.ts';
import { caLog, identityLog } from './log-lines.ts';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}
function recorder(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void lines.push({ level, message, fields });
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}
const refused: CaRefusedEvent = {
  kind: 'refused',
  how: 'attest',
  reason: 'token-used',
  detail: 'join token 1 was used before',
  askedId: 'spiffe://example.org/ns/default/sa/web',
  peer: '10.0.0.7:4711',
};

describe("the CA's log", () => {
  it('says of a refusal its reason, who asked, and for what', () => {
    const { log, lines } = recorder();
    caLog(log, fakeClock())(refused);
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'refused a certificate (attest): token-used',
        fields: {
          askedId: 'spiffe://example.org/ns/default/sa/web',
          peer: '10.0.0.7:4711',
          detail: 'join token 1 was used before',
        },
      },
    ]);
  });

  it('thins a flood to ten lines and one every 10 s, with the number left out, reason by reason', async () => {
    const { log, lines } = recorder();
    const clock = fakeClock();
    const write = caLog(log, clock);
    for (let i = 0; i < 1000; i++) write(refused);
    expect(lines).toHaveLength(10);
    write({ ...refused, reason: 'token-expired' });
    expect(lines).toHaveLength(11);
    await clock.advance(10_000);
    write(refused);
    expect(lines.at(-1)?.fields).toMatchObject({ leftOut: 990 });
    write(refused);
    expect(lines).toHaveLength(12);
  });

  it('warns of a root that ends, louder towards the end, and not of an issuer that will be replaced by itself', () => {
    const { log, lines } = recorder();
    const write = caLog(log, fakeClock());
    const of = (authority: 'root' | 'issuer', share: 0.5 | 0.75 | 0.9): CaEvent => ({
      kind: 'expiring',
      authority,
      id: 'a',
      share,
      notAfterMs: 0,
    });
    for (const share of [0.5, 0.75, 0.9] as const) {
      write(of('root', share));
      write(of('issuer', share));
    }
    expect(lines.map(({ level, message }) => `${level}: ${message.split(';')[0]}`)).toEqual([
      "warn: 50 % of the root's life is over",
      "warn: 75 % of the root's life is over",
      "warn: 75 % of the issuer's life is over",
      "error: 90 % of the root's life is over",
      "error: 90 % of the issuer's life is over",
    ]);
  });
});

it("an identity's log says that it lapsed and that it is back", () => {
  const { log, lines } = recorder();
  const write = identityLog(log, fakeClock());
  const failed = { kind: 'renewal-failed', error: new Error('connect ECONNREFUSED'), retryInMs: 1 } as const;
  write({ kind: 'renewed', serial: '1', notAfterMs: 0, leafEpoch: 1 });
  write(failed);
  write({ kind: 'expiring', share: 0.9, notAfterMs: 0 });
  write({ kind: 'lapsed', notAfterMs: 0 });
  write(failed);
  write({ kind: 'renewed', serial: '2', notAfterMs: 0, leafEpoch: 1 });
  expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    'warn: the identity is not renewed yet; the current one serves on',
    "error: 90 % of the certificate's life is over and it could not be renewed",
    'error: the identity has lapsed; handshakes fail until the CA can be reached',
    'warn: there is no valid identity; handshakes fail',
    'warn: the identity is back',
  ]);
});
