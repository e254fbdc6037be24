import { createPrivateKey, sign } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';

const HERE = import.meta.dirname;
/** Where configurations of the corpus think their certificates are. */
export const CERTIFICATES: string = '/etc/envoy/certs';

/** A request, and what becomes of it: see `expectations.yaml`. */
export interface Expectation {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly listener?: string;
  readonly send?: Readonly<Record<string, string>>;
  readonly content?: string;
  /** A body of so many bytes. */
  readonly repeat?: number;
  /** Claims of a token that is sent. */
  readonly token?: Readonly<Record<string, string>>;
  /** Asked through a CONNECT; where that is refused, its status is the answer's. */
  readonly tunnel?: { readonly to: string; readonly http2?: boolean };
  readonly tls?: { readonly name: string; readonly client?: boolean };
  readonly status: number;
  readonly body?: string;
  readonly has?: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly tulle?: { readonly status: number; readonly why: string };
}

/** Names of the configurations, sorted. */
export const configNames: readonly string[] = globSync('*.yaml', { cwd: join(HERE, 'configs') })
  .map((file) => basename(file, '.yaml'))
  .toSorted();

/** @param directory of certificates and of the file of secrets */
export function configText(name: string, directory: string): string {
  return readFileSync(join(HERE, 'configs', `${name}.yaml`), 'utf8').replaceAll(CERTIFICATES, directory);
}

/** By configuration. */
export function expectations(): Readonly<Record<string, readonly Expectation[]>> {
  return parse(readFileSync(join(HERE, 'expectations.yaml'), 'utf8')) as Readonly<
    Record<string, readonly Expectation[]>
  >;
}

/** What is sent. */
export function bodyOf({ content, repeat }: Expectation): string | undefined {
  return repeat === undefined ? content : 'x'.repeat(repeat);
}

/** Of a key that signs nothing but these tests' tokens. */
const KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'PUCOcsY3lVpYf_N9MiXBGpaKk-lWOnHYmChD777ulHQ',
  y: 'RMzkHE_2gj1FMz_h6HMsZn1zg9-crCzIUJStBXoaVxE',
  d: 'OEVfCNWjLFTAd0nxDqiAeYuZIrzTPgimQH7wok_YzYQ',
};

/** Fields of the request. */
export function fieldsOf({ host, send, token }: Expectation): Record<string, string> {
  return {
    host: host ?? 'test.example',
    ...send,
    ...(token && { authorization: `Bearer ${signed(token)}` }),
  };
}

function signed(claims: Readonly<Record<string, string>>): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${part({ ...claims, exp: 4_102_444_800 })}`;
  const key = createPrivateKey({ key: KEY, format: 'jwk' });
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** A request as a service got it. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What a service of the corpus answers. */
export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Fields that proxies make up. */
const MADE_UP = /^x-(?:forwarded-.*|request-id|envoy-.*|real-ip|tulle-.*|b3.*)$/;

/** A service of the corpus: says what it was asked. @returns an object whose answers depend on what it was asked before */
export function service(name: string): (asked: Asked) => ServiceAnswer | 'silence' {
  let flaky = 0;
  return ({ method, target, headers }) => {
    const field = (wanted: string): string =>
      headers.find(([one]) => one.toLowerCase() === wanted)?.[1] ?? '';
    const [path] = target.split('?');
    const own = headers
      .map(([key, value]): [string, string] => [key.toLowerCase(), value])
      .filter(([key]) => (key.startsWith('x-') && !MADE_UP.test(key)) || key === 'content-encoding')
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const lines = own.map(([key, value]) => `${key}: ${value}\n`).join('');
    const answer = (status: number, more = ''): ServiceAnswer => ({
      status,
      headers: { 'content-type': 'text/plain', 'x-powered-by': 'corpus' },
      body: `${name} ${method} ${target} ${field('host')}\n${lines}${more}`,
    });
    if (path === '/slow') return 'silence';
    const [, moved, location = ''] = /^[^?]*\?(30[12378])=(.*)$/.exec(target) ?? [];
    if (moved !== undefined)
      return { ...answer(Number(moved)), headers: { location, 'x-powered-by': 'corpus' } };
    if (path === '/flaky') return answer(++flaky % 3 === 0 ? 200 : 503);
    if (path === '/big') return answer(200, 'word '.repeat(400));
    if (name === '9002' && field('x-user') === 'bob') return answer(403);
    return answer(200);
  };
}
