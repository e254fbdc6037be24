import { RequestHead } from '@tulle/http1';
import { describe, expect, it } from 'vitest';
import { bodyOf, fieldsOf, type Log, newLog, recorder, type Seen, tableOf } from '../tests/carrier.ts';
import {
  block,
  continuation,
  data,
  frame,
  framesOf,
  GET,
  headers,
  OPENING,
  POST,
  rst,
  settings,
  windowUpdate,
} from '../tests/frames.ts';
import { MemoryOutput } from '../tests/memory-pair.ts';
import { type Http2Events, type Http2Options, ServerSession } from './index.ts';

interface Served {
  readonly session: ServerSession<Seen>;
  readonly log: Log;
  readonly output: MemoryOutput;
  /** What the server wrote since it was last asked, as text. */
  sent(): string[];
  send(...frames: readonly Buffer[]): void;
}

function serve(options: Partial<Http2Options> = {}, on: Partial<Http2Events<Seen>> = {}): Served {
  const log = newLog();
  const output = new MemoryOutput();
  const session = new ServerSession<Seen>(recorder(log, on), output, options);
  session.start();
  const served: Served = {
    session,
    log,
    output,
    sent: () => framesOf(output.take()),
    send: (...frames) => {
      const bytes = Buffer.concat(frames);
      session.receive(bytes, 0, bytes.length, 0);
    },
  };
  served.send(OPENING);
  served.sent();
  log.lines.length = 0;
  return served;
}

/** What a server says of frames: its events, then what it wrote (heads, answers to SETTINGS and windows left out). */
function judge(...frames: readonly Buffer[]): string[] {
  const served = serve();
  served.send(...frames);
  return [...served.log.lines, ...served.sent().filter((line) => !/^(SETTINGS|WINDOW)/.test(line))];
}

const END = 1;
const fatal = (rule: string, code: number, last = 0): string[] => [
  `FAULT ${rule} ${code}`,
  `GOAWAY 0 0 ${last} ${code} ${rule}`,
];

describe('a server ends the connection', () => {
  it('when the preface is wrong, at the first octet that is', () => {
    const log = newLog();
    const output = new MemoryOutput();
    const session = new ServerSession<Seen>(recorder(log), output);
    session.receive(Buffer.from('GET / HTTP/1.1\r\n'), 0, 1, 0);
    expect(log.lines).toEqual(['FAULT preface 1']);
    session.receive(Buffer.from('GET / HTTP/1.1\r\n'), 1, 16, 0);
    expect([log.lines.length, session.failed]).toEqual([1, true]);
  });

  it('when the first frame is no SETTINGS', () => {
    const log = newLog();
    const session = new ServerSession<Seen>(recorder(log), new MemoryOutput());
    const bytes = Buffer.concat([OPENING.subarray(0, 24), frame(6, 0, 0, '12345678')]);
    session.receive(bytes, 0, bytes.length, 0);
    expect(log.lines).toEqual(['FAULT first-frame 1']);
  });

  const one = headers(1, 0, ...POST);
  const whole = headers(1, END, ...GET);
  const cases: [string, Buffer[], string[]][] = [
    ['frame too long', [frame(0, 0, 1, Buffer.alloc(16_385))], fatal('frame-size', 6)],
    ['DATA on stream 0', [data(0, 0, 'x')], fatal('frame-stream', 1)],
    ['HEADERS on stream 0', [headers(0, END, ...GET)], fatal('frame-stream', 1)],
    ['RST_STREAM on stream 0', [rst(0)], fatal('frame-stream', 1)],
    ['SETTINGS on a stream', [frame(4, 0, 1, '')], fatal('frame-stream', 1)],
    ['PING on a stream', [frame(6, 0, 1, '12345678')], fatal('frame-stream', 1)],
    ['GOAWAY on a stream', [frame(7, 0, 1, '12345678')], fatal('frame-stream', 1)],
    ['even stream', [headers(2, END, ...GET)], fatal('stream-id', 1)],
    ['PUSH_PROMISE', [frame(5, 4, 1, '\0\0\0\x02')], fatal('push-promise', 1)],
    ['DATA on an idle stream', [data(1, 0, 'x')], fatal('stream-idle', 1)],
    ['RST_STREAM on an idle stream', [rst(1)], fatal('stream-idle', 1)],
    ['WINDOW_UPDATE on an idle stream', [windowUpdate(1, 1)], fatal('stream-idle', 1)],
    ['short RST_STREAM', [one, frame(3, 0, 1, 'xx')], fatal('frame-size', 6, 1)],
    ['short PING', [frame(6, 0, 0, 'x')], fatal('frame-size', 6)],
    ['short WINDOW_UPDATE', [frame(8, 0, 0, 'x')], fatal('frame-size', 6)],
    ['short GOAWAY', [frame(7, 0, 0, 'x')], fatal('frame-size', 6)],
    ['odd SETTINGS', [frame(4, 0, 0, 'xxx')], fatal('frame-size', 6)],
    ['SETTINGS ACK with content', [frame(4, 1, 0, '123456')], fatal('frame-size', 6)],
    ['padding as long as DATA', [one, data(1, 8, '\x02x')], fatal('padding', 1, 1)],
    ['padding without its length', [one, data(1, 8, '')], fatal('padding', 1, 1)],
    ['padding as long as HEADERS', [frame(1, 4 | 8, 1, '\x05abcd')], fatal('padding', 1)],
    ['HEADERS too short for its priority', [frame(1, 4 | 32, 1, 'abc')], fatal('frame-size', 6)],
    ['CONTINUATION alone', [continuation(1, 4)], fatal('continuation-alone', 1)],
    [
      'another frame in a block',
      [frame(1, 0, 1, ''), frame(6, 0, 0, '12345678')],
      fatal('continuation-missing', 1),
    ],
    [
      'CONTINUATION of another stream',
      [frame(1, 0, 1, ''), continuation(3, 4)],
      fatal('continuation-missing', 1),
    ],
    ['connection window by 0', [windowUpdate(0, 0)], fatal('window-zero', 1)],
    ['connection window above 2^31-1', [windowUpdate(0, 0x7fffffff)], fatal('window-overflow', 3)],
    ['initial window above 2^31-1', [settings([4, 0x80000000])], fatal('setting-window', 3)],
    ['frame size below 16384', [settings([5, 16_383])], fatal('setting', 1)],
    ['frame size above 2^24-1', [settings([5, 16_777_216])], fatal('setting', 1)],
    ['ENABLE_PUSH 2', [settings([2, 2])], fatal('setting', 1)],
    ['bad compression', [frame(1, 5, 1, '\x80')], fatal('hpack-index', 9, 1)],
  ];
  for (const [name, frames, expected] of cases) {
    it(`${name}`, () => {
      const seen = judge(...frames).filter((line) => !/^1 (head|reset)/.test(line));
      expect(seen).toEqual(expected);
    });
  }

  it('HEADERS or DATA on a stream that both sides ended', () => {
    for (const late of [headers(1, END, ...GET), data(1, END, 'x')]) {
      const served = serve();
      served.send(whole);
      served.session.writeHead(served.session.streams.get(1) as never, 200, tableOf(), -1, true);
      served.send(late);
      expect(served.log.lines.at(-1)).toBe('FAULT stream-over 5');
    }
  });

  it('and tells every stream', () => {
    const served = serve();
    served.send(one, headers(3, 0, ...POST), windowUpdate(0, 0));
    expect(served.log.lines.slice(2)).toEqual([
      'FAULT window-zero 1',
      '1 reset 1 connection',
      '3 reset 1 connection',
    ]);
    served.send(headers(5, END, ...GET));
    expect(served.log.streams.has(5)).toBe(false);
  });
});

describe('a server ends the stream', () => {
  const reset = (rule: string, code: number): string[] => [
    `1 fault ${rule}`,
    `1 reset ${code} protocol`,
    `RST 0 1 ${code}`,
  ];
  const without = (name: string): string[] => GET.filter((line) => !line.startsWith(`${name}:`));
  const heads: [string, string[], string][] = [
    ['upper-case name', [...GET, 'X-A:1'], 'field-name'],
    ['empty name', [...GET, ' :1'], 'field-name'],
    ['name with a colon', [...GET, 'x\x3ay:1'].map((line) => line.replace('x:y', 'x\0y')), 'field-name'],
    ['line feed in a value', [...GET, 'x-a:1\nb'], 'field-value'],
    ['carriage return in a value', [...GET, 'x-a:1\rb'], 'field-value'],
    ['NUL in a value', [...GET, 'x-a:1\0b'], 'field-value'],
    ['blank before a value', [...GET, 'x-a: 1'], 'field-value'],
    ['blank behind a value', [...GET, 'x-a:1\t'], 'field-value'],
    ['line feed in :path', [...without(':path'), ':path:/\n'], 'field-value'],
    ['Connection', [...GET, 'connection:close'], 'connection-field'],
    ['Transfer-Encoding', [...GET, 'transfer-encoding:chunked'], 'connection-field'],
    ['Upgrade', [...GET, 'upgrade:h2c'], 'connection-field'],
    ['Keep-Alive', [...GET, 'keep-alive:1'], 'connection-field'],
    ['Proxy-Connection', [...GET, 'proxy-connection:x'], 'connection-field'],
    ['TE other than trailers', [...GET, 'te:trailers, deflate'], 'te'],
    ['unknown pseudo-header', [...GET, ':test:1'], 'pseudo-unknown'],
    ['pseudo-header of a response', [...GET, ':status:200'], 'pseudo-unknown'],
    ['pseudo-header behind a line', [...without(':path'), 'x-a:1', ':path:/'], 'pseudo-late'],
    ['two :method', [':method:GET', ...GET], 'pseudo-repeated'],
    ['two :path', [':path:/', ...GET], 'pseudo-repeated'],
    ['two :scheme', [':scheme:http', ...GET], 'pseudo-repeated'],
    ['two :authority', [':authority:a.example', ...GET], 'pseudo-repeated'],
    ['no :method', without(':method'), 'pseudo-missing'],
    ['no :scheme', without(':scheme'), 'pseudo-missing'],
    ['no :path', without(':path'), 'pseudo-missing'],
    ['empty :path', [...without(':path'), ':path:'], 'pseudo-missing'],
    ['method that is no token', [...without(':method'), ':method:GET /x'], 'method-token'],
    ['CONNECT with :path', [...without(':method'), ':method:CONNECT'], 'pseudo-connect'],
    ['CONNECT without :authority', [':method:CONNECT'], 'pseudo-missing'],
    ['GET with :protocol', [...GET, ':protocol:websocket'], 'pseudo-connect'],
    ['two Host', [...GET, 'host:a.example', 'host:a.example'], 'host-repeated'],
    ['Content-Length that is no number', [...GET, 'content-length:+1'], 'length'],
    ['Content-Length above 2^53-1', [...GET, 'content-length:9007199254740992'], 'length'],
    ['two Content-Length', [...GET, 'content-length:0', 'content-length:0'], 'length-repeated'],
    ['Content-Length without DATA', [...GET, 'content-length:1'], 'length-differs'],
  ];
  for (const [name, lines, rule] of heads)
    it(`${name}`, () => expect(judge(headers(1, END, ...lines))).toEqual(reset(rule, 1)));

  const one = headers(1, 0, ...POST);
  const sized = headers(1, 0, ...POST, 'content-length:3');
  const cases: [string, Buffer[], string, number][] = [
    ['DATA after its end', [headers(1, END, ...GET), data(1, 0, 'x')], 'stream-closed', 5],
    ['HEADERS after its end', [headers(1, END, ...GET), headers(1, END, 'x:1')], 'stream-closed', 5],
    ['second HEADERS without end', [one, headers(1, 0, 'x:1')], 'trailers-open', 1],
    ['pseudo-header in trailers', [one, headers(1, END, ':path:/')], 'pseudo-unknown', 1],
    ['Connection in trailers', [one, headers(1, END, 'connection:x')], 'connection-field', 1],
    ['trailers too large', [one, headers(1, END, `x:${'y'.repeat(9000)}`)], 'trailer-size', 11],
    ['less DATA than Content-Length', [sized, data(1, END, 'ab')], 'length-differs', 1],
    ['more DATA than Content-Length', [sized, data(1, 0, 'abcd')], 'length-differs', 1],
    [
      'a DATA frame that is longer, before any of it is passed on',
      [sized, data(1, 0, 'abcd').subarray(0, 12)],
      'length-differs',
      1,
    ],
    ['trailers before Content-Length is full', [sized, headers(1, END, 'x:1')], 'length-differs', 1],
    ['stream window by 0', [one, windowUpdate(1, 0)], 'stream-window-zero', 1],
    ['stream window above 2^31-1', [one, windowUpdate(1, 0x7fffffff)], 'stream-flow-control', 3],
    ['PRIORITY on itself', [one, frame(2, 0, 1, '\0\0\0\x01\0')], 'self-dependency', 1],
    ['PRIORITY too short', [one, frame(2, 0, 1, 'x')], 'priority-size', 6],
  ];
  for (const [name, frames, rule, code] of cases) {
    it(`${name}`, () =>
      expect(judge(...frames).filter((line) => !line.startsWith('1 head'))).toEqual(reset(rule, code)));
  }

  it('and the connection goes on, its compression table too', () => {
    const served = serve();
    const bad = Buffer.concat([block(...GET, 'X-Bad:1'), Buffer.from('\x40\x03x-a\x011', 'latin1')]);
    served.send(
      frame(1, 5, 1, bad),
      frame(1, 5, 3, Buffer.concat([block(...GET), Buffer.from([0x80 | 62])])),
    );
    expect(fieldsOf(served.log.streams.get(3)?.head.fields as never)).toContain('x-a: 1');
  });

  it('more DATA than its window, which holds from the acknowledgement of SETTINGS on', () => {
    const served = serve({ streamWindowBytes: 10_000 });
    served.send(one, data(1, 0, Buffer.alloc(16_384)));
    expect(served.log.lines).toEqual(['1 head POST /']);
    served.send(frame(4, 1, 0), headers(3, 0, ...POST), data(3, 0, Buffer.alloc(10_000)));
    expect(served.log.lines).toEqual(['1 head POST /', 'settings ack', '3 head POST /']);
    served.send(data(3, 0, 'x'));
    expect(served.log.lines.slice(3)).toEqual(['3 fault stream-flow-control', '3 reset 3 protocol']);
  });

  it('DATA after the peer itself reset it', () => {
    expect(judge(headers(1, 0, ...POST), rst(1), data(1, 0, 'x'))).toEqual([
      '1 head POST /',
      '1 reset 8 peer',
      '1 fault stream-closed',
      'RST 0 1 5',
    ]);
  });
});

describe('a server answers', () => {
  const answer = (lines: readonly string[], options: Partial<Http2Options> = {}): string => {
    const served = serve(options, {
      onHeadFault(stream, fault, endStream) {
        served.session.writeHead(stream, fault.status, tableOf(), 0, true);
        if (!endStream) served.session.reset(stream, 0);
      },
    });
    served.send(headers(1, END, ...lines));
    const line = served.log.lines.find((it) => it.startsWith('1 answer'));
    if (line !== undefined) expect(served.session.openStreams).toBe(0);
    return line ?? served.log.lines.join();
  };
  const path = (value: string, method = 'GET'): string[] => [
    `:method:${method}`,
    ':scheme:http',
    `:path:${value}`,
    ':authority:a.example',
  ];
  const authority = (value: string, ...more: string[]): string[] => [
    ...GET.slice(0, 3),
    `:authority:${value}`,
    ...more,
  ];
  const cases: [string, string[], string][] = [
    ['a path with a blank', path('/a b'), '400 target'],
    ['a path with a fragment', path('/a#b'), '400 target'],
    ['a path without a slash', path('a'), '400 target'],
    ['a path with a lone %', path('/%zz'), '400 target'],
    ['an asterisk with GET', path('*'), '400 target'],
    ['an absolute path', path('http://b.example/'), '400 target'],
    ['a long path', path(`/${'a'.repeat(8192)}`), '414 uri-length'],
    ['an unknown method', path('/', 'GETX'), '501 method-unknown'],
    ['another scheme', GET.map((line) => line.replace('http', 'ftp')), '400 target-scheme'],
    ['a user name', authority('u@a.example'), '400 target-authority'],
    ['two hosts', authority('a.example,b.example'), '400 target-authority'],
    ['another Host', authority('a.example', 'host:b.example'), '400 host-disagrees'],
    ['a bad Host', authority('a.example', 'host:u@a.example'), '400 host'],
    ['no authority', GET.slice(0, 3), '400 host-missing'],
    ['an expectation', [...GET, 'expect:200-ok'], '417 expect'],
    ['a large head', [...GET, `x:${'y'.repeat(9000)}`, 'z:1'], '431 head-size'],
    ['many lines', [...GET, ...Array.from({ length: 101 }, () => 'x:1')], '431 head-lines'],
    ['CONNECT without a port', [':method:CONNECT', ':authority:a.example'], '400 target-authority'],
  ];
  for (const [name, lines, expected] of cases)
    it(`${name}`, () => expect(answer(lines, { maxHeadBytes: 9000 })).toBe(`1 answer ${expected}`));

  it('a method of its own, when that is allowed', () => {
    expect(answer(path('/', 'GETX'), { allowCustomMethods: true })).toBe('1 head GETX /');
  });

  it('and does not tell the body that comes all the same', () => {
    const served = serve();
    served.send(headers(1, 0, ...path('/a b', 'POST')), data(1, 0, 'abc'), data(1, END, 'def'));
    expect(served.log.lines).toEqual(['1 fault target', '1 answer 400 target']);
    expect(bodyOf(served.log.streams.get(1))).toBe('');
  });
});

describe('a server reads', () => {
  const read = (...lines: readonly string[]): RequestHead => {
    const served = serve();
    served.send(headers(1, END, ...lines));
    return served.log.streams.get(1)?.head as RequestHead;
  };

  it('path, query, authority and scheme', () => {
    const head = read(':method:GET', ':scheme:https', ':path:/a?b=c', ':authority:A.example:443');
    expect([head.path, head.queryIndex, head.target, head.authority, head.scheme, head.bodyKind]).toEqual([
      '/a?b=c',
      2,
      '/a?b=c',
      'A.example:443',
      'https',
      0,
    ]);
    expect(fieldsOf(head.fields)).toEqual(['host: A.example:443']);
  });

  it('Host where :authority is missing, and one that agrees', () => {
    const head = read(...GET.slice(0, 3), 'host:b.example');
    expect([head.authority, fieldsOf(head.fields)]).toEqual(['b.example', ['host: b.example']]);
    expect(read(...GET, 'host:A.example:80').authority).toBe('a.example');
  });

  it('cookie crumbs as one line', () => {
    expect(fieldsOf(read(...GET, 'cookie:a=1', 'x:1', 'cookie:b=2', 'cookie:c=3').fields)).toEqual([
      'x: 1',
      'cookie: a=1; b=2; c=3',
      'host: a.example',
    ]);
  });

  it('an expectation of 100-continue', () => {
    expect(read(...POST, 'expect:100-continue').expectContinue).toBe(true);
  });

  it('CONNECT', () => {
    const head = read(':method:CONNECT', ':authority:a.example:443');
    expect([head.method, head.authority, head.path, head.target]).toEqual([
      'CONNECT',
      'a.example:443',
      '',
      'a.example:443',
    ]);
  });

  it('blocks in pieces, with padding and priority', () => {
    const served = serve();
    const whole = block(...GET, 'x-a:1');
    served.send(
      frame(
        1,
        END | 8 | 32,
        1,
        Buffer.concat([Buffer.from('\x02\0\0\0\0\x10', 'latin1'), whole.subarray(0, 10), Buffer.alloc(2)]),
      ),
      continuation(1, 0, whole.subarray(10, 20)),
      continuation(1, 4, whole.subarray(20)),
    );
    expect(fieldsOf(served.log.streams.get(1)?.head.fields as never)).toEqual(['x-a: 1', 'host: a.example']);
  });

  it('padded DATA, and counts padding for the windows', () => {
    const served = serve({ streamWindowBytes: 65_535 });
    served.send(headers(1, 0, ...POST));
    served.send(data(1, 8 | END, `\x05abc${'\0'.repeat(5)}`));
    expect(bodyOf(served.log.streams.get(1))).toBe('abc');
    expect(served.session.streams.get(1)?.receiveWindow).toBe(65_535 - 9);
  });

  it('unknown frames, settings and flags without minding', () => {
    const served = serve();
    served.send(
      frame(77, 255, 9, 'what'),
      settings([99, 1]),
      headers(1, END | 64, ...GET),
      frame(16, 0, 0, 'x'),
    );
    expect(served.log.lines).toEqual(['1 head GET /']);
  });

  it('frames of a new stream after the last GOAWAY as nothing', () => {
    const served = serve();
    served.send(headers(1, END, ...GET));
    served.session.goaway(0, false);
    served.send(headers(3, 0, ...POST), data(3, 0, 'x'), windowUpdate(3, 5), rst(3));
    expect([served.session.failed, served.log.streams.size]).toEqual([false, 1]);
    expect(served.sent().at(-1)).toBe('GOAWAY 0 0 1 0 ');
  });
});
