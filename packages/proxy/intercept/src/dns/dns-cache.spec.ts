import { describe, expect, it } from 'vitest';
import { DnsCache } from './dns-cache.ts';
import { answerTo, readQuestion, type Question } from './dns-message.ts';

const query = Buffer.from('00010100000100000000000001610000010001', 'hex');
const question = readQuestion(query) as Question;

describe('the cache of DNS answers', () => {
  it('keeps an answer as long as it holds, counts its TTL down, and gives it the id of who asks', () => {
    let nowMs = 0;
    const cache = new DnsCache(() => nowMs);
    cache.keep(query, 'udp', question, answerTo(query, question, ['192.0.2.1'], 10));
    nowMs = 3_500;
    const other = Buffer.from(query);
    other.writeUInt16BE(77, 0);
    const found = cache.find(other, 'udp') as Buffer;
    expect([found.readUInt16BE(0), found.readUInt32BE(question.end + 6)]).toEqual([77, 7]);
    nowMs = 10_000;
    expect([cache.find(query, 'udp'), cache.size]).toEqual([undefined, 0]);
  });

  it('keeps nothing longer than five minutes, nothing that failed, and a thousand answers', () => {
    let nowMs = 0;
    const cache = new DnsCache(() => nowMs);
    cache.keep(query, 'udp', question, answerTo(query, question, [], 10));
    expect(cache.size).toBe(0);
    for (let n = 0; n < 1_100; n++) {
      const one = Buffer.from(query);
      one.writeUInt16BE(n, question.end - 4); // another type each
      cache.keep(one, 'udp', question, answerTo(one, question, ['192.0.2.1'], 100_000));
    }
    expect(cache.size).toBe(1_000);
    const last = Buffer.from(query);
    last.writeUInt16BE(1_099, question.end - 4);
    expect(cache.find(last, 'udp')).toBeDefined();
    nowMs = 300_000;
    expect(cache.find(last, 'udp')).toBeUndefined();
  });

  it('keeps nothing that is long, question or answer', () => {
    const cache = new DnsCache(() => 0);
    const addresses = (count: number): string[] => Array.from({ length: count }, () => '192.0.2.1');
    cache.keep(query, 'udp', question, answerTo(query, question, addresses(300), 60));
    const padded = Buffer.concat([query, Buffer.alloc(5_000)]);
    cache.keep(padded, 'udp', question, answerTo(padded, question, addresses(1), 60));
    expect(cache.size).toBe(0);
    cache.keep(query, 'udp', question, answerTo(query, question, addresses(200), 60));
    expect(cache.size).toBe(1);
  });

  it('keeps what was told by TCP from whoever asks by UDP: it may be longer than UDP takes', () => {
    const cache = new DnsCache(() => 0);
    cache.keep(query, 'tcp', question, answerTo(query, question, ['192.0.2.1'], 60));
    expect(cache.find(query, 'udp')).toBeUndefined();
    expect(cache.find(query, 'tcp')).toBeDefined();
  });
});
