import { describe, expect, it } from 'vitest';
import { newLog, recorder, type Seen, tableOf } from '../tests/carrier.ts';
import {
  continuation,
  data,
  frame,
  GET,
  headers,
  OPENING,
  POST,
  rst,
  settings,
  windowUpdate,
} from '../tests/frames.ts';
import { MemoryOutput } from '../tests/memory-pair.ts';
import { DEFAULT_OPTIONS, type Http2Events, type Http2Options, ServerSession } from './index.ts';

const END = 1;

class Victim {
  readonly log = newLog();
  readonly output: MemoryOutput = new MemoryOutput();
  readonly session: ServerSession<Seen>;
  nowMs = 1000;
  /** Whether the attacker reads what the server writes. */
  reads = true;

  constructor(options: Partial<Http2Options> = {}, on: Partial<Http2Events<Seen>> = {}) {
    this.session = new ServerSession<Seen>(recorder(this.log, on), this.output, options);
    this.session.start();
    this.send(OPENING, frame(4, 1, 0));
  }

  send(...frames: readonly Buffer[]): void {
    const bytes = Buffer.concat(frames);
    this.session.receive(bytes, 0, bytes.length, this.nowMs);
    if (this.reads) this.output.take();
  }

  /** Sends what `make` gives until the connection is ended, `most` times at most. @returns how often, and why it ended */
  flood(make: (i: number) => readonly Buffer[], most = 50_000): [number, string | undefined] {
    let sent = 0;
    while (sent < most && !this.session.failed) this.send(...make(sent++));
    return [sent, this.log.lines.find((line) => line.startsWith('FAULT'))];
  }
}

/** A server that answers each request at once. */
function answering(options: Partial<Http2Options> = {}): Victim {
  const victim: Victim = new Victim(options, {
    onHead(stream, endStream) {
      if (endStream) victim.session.writeHead(stream, 204, tableOf(), -1, true);
    },
  });
  return victim;
}

const id = (i: number): number => i * 2 + 1;

describe('a flood ends the connection', () => {
  it('of PING', () => {
    expect(new Victim().flood(() => [frame(6, 0, 0, '12345678')])).toEqual([257, 'FAULT ping-flood 11']);
  });

  it('of SETTINGS, and of acknowledgements nobody waits for', () => {
    // one token went for the first SETTINGS
    expect(new Victim().flood(() => [settings([4, 1000])])).toEqual([32, 'FAULT settings-flood 11']);
    expect(new Victim().flood(() => [frame(4, 1, 0)])).toEqual([32, 'FAULT settings-flood 11']);
    const many = settings(...Array.from({ length: 65 }, (): [number, number] => [99, 1]));
    expect(new Victim().flood(() => [many])).toEqual([1, 'FAULT settings-flood 11']);
  });

  it('of heads on a stream that was reset', () => {
    const victim = new Victim();
    victim.send(headers(1, END, ':method:GET'));
    // five hundred, and the ten that the stream gave
    expect(victim.flood(() => [headers(1, END, 'x:1')])).toEqual([511, 'FAULT useless-flood 11']);
  });

  it('of streams that are opened and reset', () => {
    const victim = new Victim();
    expect(victim.flood((i) => [headers(id(i), END, ...GET), rst(id(i))])).toEqual([
      501,
      'FAULT reset-flood 11',
    ]);
    expect(victim.session.openStreams).toBe(0);
  });

  it('of streams above the limit', () => {
    expect(new Victim({ maxConcurrentStreams: 10 }).flood((i) => [headers(id(i), 0, ...POST)])).toEqual([
      511,
      'FAULT reset-flood 11',
    ]);
  });

  it('of resets that the server is made to send', () => {
    for (const provoke of [
      (i: number) => [headers(id(i), 0, ...POST), windowUpdate(id(i), 0)],
      (i: number) => [headers(id(i), 0, ...POST), windowUpdate(id(i), 0x7fffffff)],
      (i: number) => [headers(id(i), END, ...GET), data(id(i), 0, 'x')],
      (i: number) => [headers(id(i), END, ...GET, 'X:1')],
      (i: number) => [
        headers(id(i), 0, ...POST),
        frame(2, 0, id(i), `\0\0${String.fromCharCode(id(i) >> 8, id(i) & 255)}\0`),
      ],
    ])
      expect(new Victim().flood(provoke)).toEqual([101, 'FAULT stream-error-flood 11']);
  });

  it('of DATA without content', () => {
    const victim = new Victim();
    victim.send(headers(1, 0, ...POST));
    expect(victim.flood((i) => [i % 2 === 0 ? data(1, 0) : data(1, 8, '\x01\0')])).toEqual([
      101,
      'FAULT empty-data-flood 11',
    ]);
  });

  it('of PRIORITY, unknown frames and RST_STREAM on streams that are over', () => {
    expect(new Victim().flood(() => [frame(2, 0, 7, '\0\0\0\0\0')])).toEqual([501, 'FAULT useless-flood 11']);
    expect(new Victim().flood(() => [frame(99, 0, 0, 'x')])).toEqual([501, 'FAULT useless-flood 11']);
    const victim = answering();
    victim.send(headers(1, END, ...GET));
    expect(victim.flood(() => [rst(1)])).toEqual([511, 'FAULT useless-flood 11']);
  });

  it('of WINDOW_UPDATE', () => {
    expect(new Victim().flood(() => [windowUpdate(0, 1)])).toEqual([2001, 'FAULT window-update-flood 11']);
  });

  it('of CONTINUATION, by number and by size', () => {
    const victim = new Victim();
    victim.send(frame(1, 0, 1, ''));
    expect(victim.flood(() => [continuation(1, 0)])).toEqual([33, 'FAULT header-block-size 11']);
    const large = new Victim();
    large.send(frame(1, 0, 1, ''));
    expect(large.flood(() => [continuation(1, 0, Buffer.alloc(16_384, 0x82))])).toEqual([
      9,
      'FAULT header-block-size 11',
    ]);
  });

  it('of frames whose answers nobody reads', () => {
    const victim = answering({ pingFlood: { burst: 1e9, perSecond: 0 } });
    victim.reads = false;
    const [, fault] = victim.flood(() => Array.from({ length: 100 }, () => frame(6, 0, 0, '12345678')));
    expect(fault).toBe('FAULT unread-replies 11');
    expect(victim.output.queuedBytes).toBeLessThan(DEFAULT_OPTIONS.maxOutputBytes + 1000);
    const other = answering();
    other.reads = false;
    const [requests, rule] = other.flood((i) => [headers(id(i), END, ...GET)], 1e6);
    expect(rule).toBe('FAULT unread-replies 11');
    expect(requests).toBeGreaterThan(10_000);
    expect(other.output.queuedBytes).toBeLessThan(DEFAULT_OPTIONS.maxOutputBytes + 1000);
  });
});

describe('what clients do', () => {
  it('of WINDOW_UPDATE that give an octet each, though each gets a frame with an octet; not of such that give more', () => {
    const slow = (increment: number): [number, string | undefined] => {
      const body = Buffer.alloc(100_000);
      const victim: Victim = new Victim(
        {},
        {
          onHead(stream) {
            victim.session.writeHead(stream, 200, tableOf(), -1, false);
            victim.session.writeData(stream, body, 0, body.length, false);
          },
          onDrain(stream) {
            victim.session.writeData(stream, body, 0, body.length, false);
          },
        },
      );
      victim.send(settings([4, 0]), headers(1, END, ...GET));
      return victim.flood(() => [windowUpdate(1, increment), windowUpdate(0, increment)], 20_000);
    };
    const [octets, why] = slow(1);
    expect(why).toContain('window-update-flood');
    expect(octets).toBeLessThan(1_100);
    expect(slow(256)).toEqual([20_000, undefined]);
  });

  it('is no flood: PING with content, resets beside answers, a WINDOW_UPDATE for each DATA frame', () => {
    const victim = answering();
    for (let i = 0; i < 5000; i++) {
      const [a, b] = [id(i * 2), id(i * 2 + 1)];
      victim.send(
        headers(a, END, ...GET),
        headers(b, 0, ...POST),
        rst(b),
        frame(6, 0, 0, '12345678'),
        windowUpdate(0, 100),
        windowUpdate(a, 100),
        frame(2, 0, a, '\0\0\0\0\0'),
      );
    }
    expect(victim.session.failed).toBe(false);
  });

  it('is no flood when it takes its time', () => {
    const victim = new Victim();
    const second = (i: number): Buffer[] => {
      victim.nowMs += 1000;
      return [
        ...Array.from({ length: 60 }, () => frame(6, 0, 0, '12345678')),
        ...Array.from({ length: 3 }, () => settings()),
        headers(id(i), 0, ...POST),
        rst(id(i)),
      ];
    };
    expect(victim.flood(second, 600)).toEqual([600, undefined]);
  });

  it('is a flood again as soon as it goes faster', () => {
    const victim = new Victim();
    victim.flood(() => {
      victim.nowMs += 1000;
      return [frame(6, 0, 0, '12345678')];
    }, 1000);
    expect(victim.flood(() => [frame(6, 0, 0, '12345678')])[0]).toBeLessThan(600);
  });
});
