import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  type Answered,
  askThroughTunnel,
  bodyOf,
  type Expectation,
  fieldsOf,
} from '@tulle/envoy-proxy/corpus';

export type { Answered };

/** Asks once, over a connection of its own. @param directory of certificates */
export async function ask(port: number, one: Expectation, directory: string): Promise<Answered> {
  if (one.tunnel !== undefined) return askThroughTunnel(connect(port, '127.0.0.1'), one);
  const body = bodyOf(one);
  const common = {
    host: '127.0.0.1',
    port,
    method: one.method ?? 'GET',
    path: one.path ?? '/',
    headers: { ...fieldsOf(one), ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    agent: false,
    timeout: 15_000,
  } as const;
  const file = (name: string): Buffer => readFileSync(join(directory, name));
  return new Promise((resolve, reject) => {
    const req =
      one.tls === undefined
        ? httpRequest(common)
        : httpsRequest({
            ...common,
            servername: one.tls.name,
            ca: file('ca.pem'),
            ...(one.tls.client === true && { cert: file('server.pem'), key: file('server-key.pem') }),
          });
    req.on('response', (res) => {
      let text = '';
      res.setEncoding('latin1').on('data', (piece: string) => void (text += piece));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text, headers: res.headers }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('no answer within 15 s')));
    req.on('error', reject);
    req.end(body);
  });
}

/** What is not as it should be; empty where all is. */
export function differences(
  { body, has, headers = {} }: Expectation,
  status: number,
  answered: Answered,
): string[] {
  const faults: string[] = [];
  const say = (what: string, got: unknown, wanted: unknown): void =>
    void faults.push(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  if (answered.status !== status) say('status', answered.status, status);
  if (body !== undefined && answered.body !== body) say('body', answered.body, body);
  if (has !== undefined && !answered.body.includes(has)) say('body', answered.body, `…${has}…`);
  for (const [key, value] of Object.entries(headers)) {
    const got = answered.headers[key];
    if ((got ?? null) !== value) say(key, got ?? null, value);
  }
  return faults;
}
