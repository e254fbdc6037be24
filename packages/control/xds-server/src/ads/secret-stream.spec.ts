import { beforeEach, describe, expect, it } from 'vitest';
import type { WireResource } from '../encode/wire-resource.ts';
import { createSecretStream, type SecretResponse, type SecretStream } from './secret-stream.ts';

const roots = (version: string): WireResource => ({
  name: 'ROOTCA',
  version,
  bytes: new Uint8Array(),
  anyAt: 0,
});

let secrets: Map<string, WireResource>;
let sent: SecretResponse[];
let unknown: string[];
let answers: (string | boolean)[];
let stream: SecretStream;

beforeEach(() => {
  secrets = new Map([['ROOTCA', roots('1')]]);
  sent = [];
  unknown = [];
  answers = [];
  open(true);
});

function open(canRemove: boolean): void {
  stream = createSecretStream({
    current: () => secrets,
    send: (response) => sent.push(response),
    unknown: (name) => unknown.push(name),
    answered: (ok, reason) => answers.push(reason ?? ok),
    maxNames: 3,
    canRemove,
  });
}

function ask(subscribe: string[], nonce = '', message?: string): void {
  stream.request({ subscribe, unsubscribe: [], nonce, ...(message !== undefined && { error: { message } }) });
}

describe('a stream of secrets', () => {
  it('gives the roots, and each later bundle once the last was answered', () => {
    ask(['ROOTCA']);
    expect(sent.map(({ resources }) => resources.map(({ version }) => version))).toEqual([['1']]);
    secrets.set('ROOTCA', roots('2'));
    stream.changed();
    secrets.set('ROOTCA', roots('3'));
    stream.changed();
    expect(sent).toHaveLength(1);
    ask([], sent[0]?.nonce);
    expect(sent.map(({ resources }) => resources.map(({ version }) => version))).toEqual([['1'], ['3']]);
    ask([], sent[1]?.nonce);
    stream.changed();
    expect(sent).toHaveLength(2);
    expect(answers).toEqual([true, true]);
  });

  it('says at once that there is no key to be had, so that nobody waits for one', () => {
    ask(['default', 'ROOTCA']);
    expect(sent).toMatchObject([{ removed: ['default'], resources: [{ name: 'ROOTCA' }] }]);
    expect(unknown).toEqual(['default']);
    ask([], sent[0]?.nonce);
    stream.changed();
    expect(sent).toHaveLength(1);
  });

  it('does not send again what was refused, until it changes', () => {
    ask(['ROOTCA']);
    ask([], sent[0]?.nonce, 'no PEM');
    stream.changed();
    expect(sent).toHaveLength(1);
    secrets.set('ROOTCA', roots('2'));
    stream.changed();
    expect(sent).toHaveLength(2);
    expect(answers).toEqual(['no PEM']);
  });

  it('sends again what is asked for again, and nothing after an unsubscription', () => {
    ask(['ROOTCA']);
    ask(['ROOTCA'], sent[0]?.nonce);
    expect(sent).toHaveLength(2);
    stream.request({ subscribe: [], unsubscribe: ['ROOTCA'], nonce: sent[1]?.nonce ?? '' });
    secrets.set('ROOTCA', roots('2'));
    stream.changed();
    expect(sent).toHaveLength(2);
  });

  it('that cannot say what there is not goes on without a word of it', () => {
    open(false);
    ask(['default']);
    expect([sent, unknown]).toEqual([[], ['default']]);
    ask(['ROOTCA']);
    expect(sent).toMatchObject([{ resources: [{ name: 'ROOTCA' }] }]);
    ask([], sent[0]?.nonce);
    secrets.set('ROOTCA', roots('2'));
    stream.changed();
    expect(sent).toHaveLength(2);
    expect(unknown).toEqual(['default']);
  });

  it('is bounded', () => {
    expect(() => ask(['a', 'b', 'c', 'd'])).toThrow(/maxSubscriptions = 3/);
  });
});
