import { ok, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Answer, Mesh } from '../mesh.ts';

const CONNECTIONS = 30;
/** Far more than two handshakes of TLS take; a wait for bytes of the client would show in every connection, also in the quickest. */
const NO_WAIT_MS = 100;

function times(answer: Answer | undefined): { readonly leastMs: number; readonly medianMs: number } {
  const all = (answer?.['firstByteMs'] as number[] | undefined)?.toSorted((a, b) => a - b) ?? [];
  is(all.length, CONNECTIONS, JSON.stringify(answer));
  return { leastMs: all[0] as number, medianMs: all[CONNECTIONS / 2] as number };
}

export const serverFirst: readonly Case<Mesh>[] = [
  {
    name: 'a server that speaks first, both ways: its greeting comes without a wait',
    async run(mesh) {
      const count = String(CONNECTIONS);
      const [direct] = await mesh.askUncaptured([['silent', '10.77.0.2', '2526', count]]);
      const [toPod] = await mesh.askFromHost([['silent', 'pod', '25', count]]);
      const [toPlain] = await mesh.askFromPod([['silent', 'plain', '25', count]]);
      is(toPod?.['greeting'], '220 pod ready\r\n');
      is(toPlain?.['greeting'], '220 plain ready\r\n');
      is(toPod['echo'], 'EHLO\r\n');
      const without = times(direct);
      const added = [toPod, toPlain].map((answer) => {
        const { leastMs, medianMs } = times(answer);
        ok(leastMs < NO_WAIT_MS, `the quickest first byte took ${leastMs} ms`);
        return `${(medianMs - without.medianMs).toFixed(1)} ms`;
      });
      return `first byte after ${without.medianMs.toFixed(1)} ms direct; added by two proxies and a new mutual TLS connection ${added.join(' and ')} (medians of ${CONNECTIONS})`;
    },
  },
];
