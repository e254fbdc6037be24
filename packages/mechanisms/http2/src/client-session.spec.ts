import { ResponseHead } from '@tulle/http1';
import { describe, expect, it } from 'vitest';
import { bodyOf, fieldsOf, type Log, newLog, recorder, type Seen, tableOf } from '../tests/carrier.ts';
import { data, frame, framesOf, headers, rst, settings, windowUpdate } from '../tests/frames.ts';
import { MemoryOutput } from '../tests/memory-pair.ts';
import { ClientSession, type Http2Options, type Http2Stream } from './index.ts';

const END = 1;

interface Asked {
  readonly session: ClientSession<Seen>;
  readonly log: Log;
  open(): Http2Stream<Seen>;
  request(method?: string, endStream?: boolean): Http2Stream<Seen>;
  send(...frames: readonly Buffer[]): void;
  sent(): string[];
}

/** A client that has sent one request, or more, to an origin whose frames the test writes. */
function ask(options: Partial<Http2Options> = {}, opening: Buffer = settings([8, 1])): Asked {
  const log = newLog();
  const output = new MemoryOutput();
  const session = new ClientSession<Seen>(recorder(log), output, options);
  session.start();
  const asked: Asked = {
    session,
    log,
    open: () => {
      const seen: Seen = {
        head: new ResponseHead(),
        body: [],
        trailers: undefined,
        ended: false,
        end: undefined,
      };
      const stream = session.open(seen, seen.head as ResponseHead);
      log.streams.set(stream.id, seen);
      return stream;
    },
    request: (method = 'GET', endStream = true) => {
      const stream = asked.open();
      const target = method === 'CONNECT' ? 'a.example:443' : 'a.example';
      expect(session.writeRequestHead(stream, method, 'http', target, '/', tableOf(), -1, endStream)).toBe(
        undefined,
      );
      return stream;
    },
    send: (...frames) => {
      const bytes = Buffer.concat(frames);
      session.receive(bytes, 0, bytes.length, 0);
    },
    sent: () => framesOf(output.take()),
  };
  if (opening.length > 0) asked.send(opening);
  output.take();
  log.lines.length = 0;
  return asked;
}

const OK = headers(1, 0, ':status:200');

describe('a client ends the connection', () => {
  const cases: [string, Buffer[], string][] = [
    ['PUSH_PROMISE', [frame(5, 4, 1, '\0\0\0\x02')], 'push-promise 1'],
    ['HEADERS on a stream of the server', [headers(2, 0, ':status:200')], 'stream-id 1'],
    ['HEADERS on a stream that was not opened', [headers(3, 0, ':status:200')], 'stream-idle 1'],
    ['DATA on a stream that was not opened', [data(3, 0, 'x')], 'stream-idle 1'],
    ['ENABLE_PUSH 1 from a server', [settings([2, 1])], 'setting 1'],
    ['ENABLE_CONNECT_PROTOCOL taken back', [settings([8, 0])], 'setting 1'],
    [
      'DATA on a stream that both sides ended',
      [headers(1, END, ':status:200'), data(1, 0, 'x')],
      'stream-over 5',
    ],
  ];
  for (const [name, frames, rule] of cases) {
    it(`${name}`, () => {
      const asked = ask();
      asked.request();
      asked.send(...frames);
      expect(asked.log.lines.filter((line) => line.startsWith('FAULT'))).toEqual([`FAULT ${rule}`]);
    });
  }
});

describe('a client ends the stream', () => {
  const cases: [string, Buffer[], string, number][] = [
    ['no :status', [headers(1, 0, 'x:1')], 'pseudo-missing', 1],
    ['two :status', [headers(1, 0, ':status:200', ':status:200')], 'pseudo-repeated', 1],
    [':status of four digits', [headers(1, 0, ':status:2000')], 'status', 1],
    [':status 600', [headers(1, 0, ':status:600')], 'status', 1],
    ['101', [headers(1, 0, ':status:101')], 'status', 1],
    [':path in a response', [headers(1, 0, ':status:200', ':path:/')], 'pseudo-unknown', 1],
    ['Connection', [headers(1, 0, ':status:200', 'connection:close')], 'connection-field', 1],
    ['upper-case name', [headers(1, 0, ':status:200', 'X:1')], 'field-name', 1],
    ['DATA before the head', [data(1, 0, 'x')], 'data-early', 1],
    ['interim head that ends', [headers(1, END, ':status:103')], 'informational-end', 1],
    [
      'nine interim heads',
      Array.from({ length: 9 }, () => headers(1, 0, ':status:103')),
      'informational-flood',
      1,
    ],
    ['two final heads', [OK, headers(1, 0, ':status:200')], 'trailers-open', 1],
    ['content with 304', [headers(1, 0, ':status:304'), data(1, 0, 'x')], 'body-unexpected', 1],
    ['content with 204', [headers(1, 0, ':status:204'), data(1, 0, 'x')], 'body-unexpected', 1],
    ['204 with a length', [headers(1, 0, ':status:204', 'content-length:1')], 'body-unexpected', 1],
    [
      'a short body',
      [headers(1, 0, ':status:200', 'content-length:2'), data(1, END, 'x')],
      'length-differs',
      1,
    ],
    [
      'no body where one is announced',
      [headers(1, END, ':status:200', 'content-length:2')],
      'length-differs',
      1,
    ],
    ['head that is too large', [headers(1, 0, ':status:200', `x:${'y'.repeat(2000)}`)], 'head-size', 1],
    [
      'too many lines',
      [headers(1, 0, ':status:200', ...Array.from({ length: 11 }, () => 'x:1'))],
      'head-lines',
      1,
    ],
    ['window by 0', [windowUpdate(1, 0)], 'stream-window-zero', 1],
  ];
  for (const [name, frames, rule, code] of cases) {
    it(`${name}`, () => {
      const asked = ask({ maxHeadBytes: 2000, maxHeaders: 10 });
      asked.request();
      asked.sent();
      asked.send(...frames);
      expect(asked.log.lines.slice(-2)).toEqual([`1 fault ${rule}`, `1 reset ${code} protocol`]);
      expect(asked.sent()).toEqual([`RST 0 1 ${code}`]);
      expect(asked.session.failed).toBe(false);
    });
  }

  it('content after HEAD', () => {
    const asked = ask();
    asked.request('HEAD');
    asked.send(headers(1, 0, ':status:200', 'content-length:5'), data(1, 0, 'x'));
    expect(asked.log.lines.at(-2)).toBe('1 fault body-unexpected');
  });
});

describe('a client reads', () => {
  it('interim heads, the final one, trailers', () => {
    const asked = ask();
    asked.request();
    asked.send(
      headers(1, 0, ':status:103', 'link:</a>'),
      headers(1, 0, ':status:200', 'set-cookie:a=1', 'set-cookie:b=2'),
      data(1, 0, 'body'),
      headers(1, END, 'grpc-status:0'),
    );
    const seen = asked.log.streams.get(1) as Seen;
    expect(asked.log.lines).toEqual(['1 interim 103', '1 head 200', '1 closed']);
    expect([fieldsOf(seen.head.fields), bodyOf(seen), seen.trailers]).toEqual([
      ['set-cookie: a=1', 'set-cookie: b=2'],
      'body',
      ['grpc-status: 0'],
    ]);
  });

  it('the length that HEAD, 204 and 304 announce, and the end in a frame of its own', () => {
    const asked = ask();
    asked.request('HEAD');
    asked.send(headers(1, 0, ':status:200', 'content-length:5'), data(1, END));
    const { head, end } = asked.log.streams.get(1) as Seen;
    expect([head.bodyKind, head.contentLength, end]).toEqual([0, 5, 'closed']);
  });

  it('a tunnel after CONNECT', () => {
    const asked = ask();
    asked.request('CONNECT', false);
    asked.send(headers(1, 0, ':status:200', 'content-length:9'), data(1, 0, 'opaque'));
    const seen = asked.log.streams.get(1) as Seen;
    expect([(seen.head as ResponseHead).tunnel, bodyOf(seen)]).toEqual([true, 'opaque']);
  });

  it('a refusal, which proves that nothing was sent on', () => {
    const asked = ask();
    asked.request('POST', false);
    asked.send(rst(1, 7));
    expect(asked.log.streams.get(1)?.end).toBe('reset 7 peer');
  });

  it('nothing of one stream into the next, which uses its object again', () => {
    const asked = ask();
    const stream = asked.request('POST', false);
    asked.send(OK);
    const bytes = Buffer.concat([
      data(1, END, 'first-second'),
      headers(3, 0, ':status:200'),
      data(3, END, 'own'),
    ]);
    asked.session.receive(bytes, 0, 14, 0);
    asked.session.reset(stream, 8);
    expect(asked.request('POST', false)).toBe(stream);
    asked.session.receive(bytes, 14, bytes.length, 0);
    expect([bodyOf(asked.log.streams.get(1)), bodyOf(asked.log.streams.get(3))]).toEqual(['first', 'own']);
  });

  it('frames that crossed its own resets, however many', () => {
    const asked = ask();
    for (let i = 0; i < 500; i++) {
      const stream = asked.request();
      const { id } = stream;
      asked.session.reset(stream, 8);
      if (i === 499)
        asked.send(headers(1, 0, ':status:200'), data(1, END, 'x'), headers(id, 0, ':status:200'));
    }
    expect([asked.session.failed, asked.log.lines]).toEqual([false, []]);
  });
});

describe('a client writes', () => {
  const fault = (method: string, authority: string, path: string): string | undefined => {
    const asked = ask();
    const stream = asked.open();
    const rule = asked.session.writeRequestHead(
      stream,
      method,
      'http',
      authority,
      path,
      tableOf(),
      -1,
      true,
    )?.rule;
    if (rule !== undefined) expect([asked.session.openStreams, asked.sent()]).toEqual([0, []]);
    return rule;
  };
  it('nothing that is not valid', () => {
    expect(fault('G T', 'a.example', '/')).toBe('method');
    expect(fault('GET', 'a.example\r\n', '/')).toBe('authority');
    expect(fault('GET', '', '/')).toBe('authority');
    expect(fault('GET', 'a.example', '/ b')).toBe('target');
    expect(fault('GET', 'a.example', '*')).toBe('target');
    expect(fault('CONNECT', 'a.example', '')).toBe('authority');
    expect(fault('OPTIONS', 'a.example', '*')).toBe(undefined);
    expect(fault('CONNECT', 'a.example:1', '')).toBe(undefined);
  });

  it('large heads as CONTINUATION', () => {
    const asked = ask();
    const stream = asked.open();
    const value = Array.from({ length: 40_000 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
    asked.session.writeRequestHead(stream, 'GET', 'http', 'a.example', '/', tableOf(`x:${value}`), -1, true);
    expect(asked.sent().map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      'HEADERS 1 1',
      'CONT 0 1',
      'CONT 4 1',
    ]);
  });

  it('at most as many streams as the peer allows, 100 before it has said', () => {
    const asked = ask({}, Buffer.alloc(0));
    expect(asked.session.maxConcurrentStreams).toBe(100);
    asked.send(settings([3, 1]));
    expect([asked.session.maxConcurrentStreams, asked.session.canOpen]).toEqual([1, true]);
    asked.request();
    expect(asked.session.canOpen).toBe(false);
    asked.send(headers(1, END, ':status:200'));
    expect(asked.session.canOpen).toBe(true);
    asked.send(settings([3, 0]));
    expect(asked.session.canOpen).toBe(false);
    expect(ask({ maxConcurrentStreams: 7 }).session.maxConcurrentStreams).toBe(7);
  });

  it('no head that is larger than the peer says that it takes, to the octet', () => {
    const most = 1000;
    const asked = ask({}, settings([6, most]));
    // RFC 9113 §6.5.2: name, value and 32 octets a line.
    const others = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'a.example'],
      ['content-length', '12'],
    ].reduce((sum, [name, value]) => sum + (name as string).length + (value as string).length + 32, 0);
    const write = (room: number): string | undefined =>
      asked.session.writeRequestHead(
        asked.open(),
        'POST',
        'http',
        'a.example',
        '/',
        tableOf(`x-one:${'x'.repeat(room)}`),
        12,
        false,
      )?.rule;
    const room = most - others - 'x-one'.length - 32;
    expect([write(room), write(room + 1)]).toEqual([undefined, 'size']);
    expect(asked.sent().filter((line) => line.startsWith('HEADERS'))).toHaveLength(1);
    expect([asked.session.failed, asked.session.openStreams]).toEqual([false, 1]);
    asked.send(settings([6, 2000]));
    expect(write(room + 1)).toBe(undefined);
  });

  it('within the window of the connection, whichever stream it is', () => {
    const asked = ask({}, settings([4, 1_000_000]));
    const streams = [asked.request('POST', false), asked.request('POST', false)];
    for (const stream of streams)
      asked.session.writeData(stream, Buffer.alloc(40_000), 0, 40_000, true, true);
    const content = (): number =>
      asked.sent().reduce((sum, line) => sum + (line.startsWith('DATA') ? Number(line.split(' ')[3]) : 0), 0);
    expect(content()).toBe(65_535);
    asked.send(windowUpdate(0, 4465));
    expect([content(), streams[1]?.queuedBytes]).toEqual([4465, 10_000]);
    asked.send(windowUpdate(0, 1_000_000));
    expect(content()).toBe(10_000);
  });

  it('no more heads to an origin that does not read', () => {
    const asked = ask();
    const value = 'v'.repeat(50_000);
    while (asked.session.canOpen) {
      const stream = asked.open();
      const path = `/${stream.id}`;
      asked.session.writeRequestHead(
        stream,
        'GET',
        'http',
        'a.example',
        path,
        tableOf(`x:${value}`, `y:${path}`),
        -1,
        true,
      );
    }
    expect([asked.session.failed, asked.session.openStreams > 5, asked.session.openStreams < 50]).toEqual([
      false,
      true,
      true,
    ]);
    asked.session.pump();
    expect(asked.log.lines).toEqual([]);
    asked.sent();
    asked.session.pump();
    asked.session.pump();
    expect([asked.log.lines, asked.session.canOpen]).toEqual([['settings'], true]);
  });

  it('frames as large as the peer allows', () => {
    const asked = ask({}, settings([5, 40_000], [4, 1_000_000]));
    asked.send(windowUpdate(0, 1_000_000));
    const stream = asked.request('POST', false);
    asked.sent();
    asked.session.writeData(stream, Buffer.alloc(60_000), 0, 60_000, true);
    expect(asked.sent()).toEqual(['DATA 0 1 40000', 'DATA 0 1 20000']);
  });
});
