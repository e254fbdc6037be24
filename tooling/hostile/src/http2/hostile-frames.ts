import {
  ACK,
  block,
  CONTINUATION,
  data,
  DATA,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PUSH_PROMISE,
  rst,
  RST_STREAM,
  settings,
  SETTINGS,
  text,
  u32,
  WINDOW_UPDATE,
  windowUpdate,
} from './frames.ts';
import { get, hostile, post, type Http2Case } from './http2-case.ts';

/** A request behind a connection error: it must not be read any more. */
const AFTER: Buffer = headers(3, get());
const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);

const SIZES: readonly Http2Case[] = hostile('frame sizes', {
  'HEADERS above 16,384 octets': [
    frame(
      HEADERS,
      END_STREAM | END_HEADERS,
      1,
      Buffer.concat([block(get()), block([['x', 'a'.repeat(16_384)]])]),
    ),
    AFTER,
  ],
  'HEADERS of 16 MiB by its head': [
    frame(HEADERS, END_STREAM | END_HEADERS, 1, block(get()), 2 ** 24 - 1),
    AFTER,
  ],
  'SETTINGS of 5 octets': [frame(SETTINGS, 0, 0, zeros(5)), AFTER],
  'SETTINGS of 7 octets': [frame(SETTINGS, 0, 0, zeros(7)), AFTER],
  'SETTINGS acknowledged with octets': [frame(SETTINGS, ACK, 0, zeros(6)), AFTER],
  'PING of 7 octets': [frame(PING, 0, 0, zeros(7)), AFTER],
  'PING of 9 octets': [frame(PING, 0, 0, zeros(9)), AFTER],
  'PING without octets': [frame(PING, 0, 0), AFTER],
  'RST_STREAM of 3 octets': [headers(1, post(), 0), frame(RST_STREAM, 0, 1, zeros(3)), AFTER],
  'RST_STREAM of 5 octets': [headers(1, post(), 0), frame(RST_STREAM, 0, 1, zeros(5)), AFTER],
  'WINDOW_UPDATE of 3 octets': [frame(WINDOW_UPDATE, 0, 0, zeros(3)), AFTER],
  'WINDOW_UPDATE of 5 octets': [frame(WINDOW_UPDATE, 0, 0, zeros(5)), AFTER],
  'GOAWAY of 7 octets': [frame(GOAWAY, 0, 0, zeros(7)), AFTER],
  'DATA above 16,384 octets': [headers(1, post(), 0), frame(DATA, END_STREAM, 1, zeros(16_385)), AFTER],
  'HEADERS with more padding than octets': [
    frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, Buffer.concat([Buffer.from([255]), block(get())])),
    AFTER,
  ],
  'HEADERS padded without a length of padding': [frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1), AFTER],
  'HEADERS with a priority of 4 octets': [
    frame(HEADERS, END_STREAM | END_HEADERS | 0x20, 1, zeros(4)),
    AFTER,
  ],
  'DATA with as much padding as octets': [
    headers(1, post(), 0),
    frame(DATA, END_STREAM | PADDED, 1, Buffer.from([5, 1, 2, 3, 4])),
    AFTER,
  ],
});

const PLACES: readonly Http2Case[] = hostile('streams of frames', {
  'SETTINGS on a stream': [frame(SETTINGS, 0, 1), AFTER],
  'PING on a stream': [frame(PING, 0, 1, zeros(8)), AFTER],
  'GOAWAY on a stream': [frame(GOAWAY, 0, 1, zeros(8)), AFTER],
  'HEADERS on stream 0': [headers(0, get()), AFTER],
  'DATA on stream 0': [data(0, 'x'), AFTER],
  'RST_STREAM on stream 0': [rst(0), AFTER],
  'PRIORITY on stream 0': [frame(PRIORITY, 0, 0, zeros(5)), AFTER],
  'CONTINUATION on stream 0': [frame(CONTINUATION, END_HEADERS, 0, block(get())), AFTER],
  'HEADERS on an even stream': [headers(2, get()), AFTER],
  'PUSH_PROMISE from a client': [
    frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([u32(2), block(get())])),
    AFTER,
  ],
});

const STATES: readonly Http2Case[] = [
  ...hostile('stream states', {
    'DATA on an idle stream': [data(1, 'x', END_STREAM), AFTER],
    'RST_STREAM on an idle stream': [rst(1), AFTER],
    'WINDOW_UPDATE on an idle stream': [windowUpdate(1, 10), AFTER],
    'CONTINUATION without HEADERS': [frame(CONTINUATION, END_HEADERS, 1, block(get())), AFTER],
    'HEADERS that are not ended, then DATA': [
      frame(HEADERS, 0, 1, block(post())),
      data(1, 'x', END_STREAM),
      AFTER,
    ],
    'HEADERS that are not ended, then PING': [
      frame(HEADERS, END_STREAM, 1, block(get())),
      frame(PING, 0, 0, zeros(8)),
      AFTER,
    ],
    'HEADERS that are not ended, then another request': [frame(HEADERS, END_STREAM, 1, block(get())), AFTER],
    'HEADERS that are not ended, then an unknown frame': [
      frame(HEADERS, END_STREAM, 1, block(get())),
      frame(0xfa, 0, 1, 'x'),
      AFTER,
    ],
    'CONTINUATION of another stream': [
      frame(HEADERS, END_STREAM, 1, block(get())),
      frame(CONTINUATION, END_HEADERS, 3),
      AFTER,
    ],
    'a stream id that goes down': [headers(5, post(), 0), headers(3, get())],
    'a body of no end, then HEADERS that end nothing': [
      headers(1, post(), 0),
      data(1, 'x'),
      headers(1, [['x-t', '1']], 0),
    ],
  }),
  // the first request is sound: what follows it is the fault
  ...hostile(
    'stream states',
    {
      'DATA behind the end': [headers(1, get()), data(1, 'x', END_STREAM)],
      'HEADERS behind the end': [headers(1, get()), headers(1, get())],
      'a stream used twice': [headers(1, get()), rst(1), headers(1, get())],
    },
    1,
  ).map((it) => ({ ...it, streams: [] })),
];

const SETTING_VALUES: readonly Http2Case[] = hostile('settings', {
  'ENABLE_PUSH 2': [settings([ENABLE_PUSH, 2]), AFTER],
  'INITIAL_WINDOW_SIZE 2^31': [settings([INITIAL_WINDOW_SIZE, 2 ** 31]), AFTER],
  'INITIAL_WINDOW_SIZE 2^32-1': [settings([INITIAL_WINDOW_SIZE, 2 ** 32 - 1]), AFTER],
  'MAX_FRAME_SIZE 16,383': [settings([MAX_FRAME_SIZE, 16_383]), AFTER],
  'MAX_FRAME_SIZE 2^24': [settings([MAX_FRAME_SIZE, 2 ** 24]), AFTER],
  'MAX_FRAME_SIZE 0': [settings([MAX_FRAME_SIZE, 0]), AFTER],
});

const WINDOWS: readonly Http2Case[] = hostile('flow control', {
  'WINDOW_UPDATE 0 of the connection': [windowUpdate(0, 0), AFTER],
  'a connection window above 2^31-1': [windowUpdate(0, 2 ** 31 - 1), AFTER],
  'a connection window above 2^31-1 in two steps': [
    windowUpdate(0, 2 ** 30),
    windowUpdate(0, 2 ** 30),
    AFTER,
  ],
  'a stream window of 0 more': [headers(1, post(), 0), windowUpdate(1, 0), data(1, 'x', END_STREAM)],
  'a stream window above 2^31-1': [
    headers(1, post(), 0),
    windowUpdate(1, 2 ** 31 - 1),
    data(1, 'x', END_STREAM),
  ],
  'a setting that takes a stream window above 2^31-1': [
    headers(1, post(), 0),
    windowUpdate(1, 2 ** 30),
    settings([INITIAL_WINDOW_SIZE, 2 ** 31 - 1]),
    AFTER,
  ],
});

const HELLO: Buffer = Buffer.concat([PREFACE, settings()]);
const prefaces = (cases: Readonly<Record<string, Buffer>>): Http2Case[] =>
  Object.entries(cases).map(([what, preface]) => ({
    group: 'preface',
    what,
    kind: 'hostile',
    preface,
    frames: [AFTER],
    allowed: 0,
  }));

const PREFACES: readonly Http2Case[] = prefaces({
  'an end other than SM': Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), settings()]),
  'a version 2.1': Buffer.concat([Buffer.from('PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n'), settings()]),
  'line ends without CR': Buffer.concat([Buffer.from('PRI * HTTP/2.0\n\nSM\n\n'), settings()]),
  'a lower-case method': Buffer.concat([Buffer.from('pri * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings()]),
  'no SETTINGS': PREFACE,
  'PING before SETTINGS': Buffer.concat([PREFACE, frame(PING, 0, 0, zeros(8)), settings()]),
  'SETTINGS acknowledged first': Buffer.concat([PREFACE, frame(SETTINGS, ACK, 0), settings()]),
  'a second preface': Buffer.concat([HELLO, PREFACE]),
  'octets between preface and SETTINGS': Buffer.concat([PREFACE, Buffer.from('\r\n'), settings()]),
});

const literal = (octets: readonly number[]): Buffer => Buffer.concat([block(get()), Buffer.from(octets)]);
const COMPRESSION: readonly Http2Case[] = hostile(
  'compression',
  Object.fromEntries(
    Object.entries({
      'index 0': literal([0x80]),
      'an index beyond the table': literal([0xbe]),
      'an index of 2^28': literal([0xff, 0x80, 0xff, 0xff, 0x7f]),
      'an integer without end': literal([0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
      'a name by an index beyond the table': literal([0x7e, 0x01, 0x61]),
      'a value cut short': literal([0x41, 0x05, 0x61]),
      'a literal of a name alone': Buffer.concat([block(get()), Buffer.from([0]), text('x-a')]),
      'EOS in a value': literal([0x41, 0x84, 0xff, 0xff, 0xff, 0xff]),
      'padding of zeros in a value': literal([0x41, 0x81, 0x18]),
      'padding of a whole octet in a value': literal([0x41, 0x82, 0x1f, 0xff]),
      'a table larger than ours': Buffer.concat([Buffer.from([0x3f, 0xe2, 0xff, 0x7f]), block(get())]),
      'a table size behind a field': literal([0x20]),
      'an entry that was never there, by name of a request before': Buffer.concat([
        Buffer.from([0xc0]),
        block(get()),
      ]),
    }).map(([what, octets]) => [what, [headers(1, octets), AFTER]]),
  ),
);

/** Frames that no client may send, or not there: connection errors but for a few that end a stream. */
export const HOSTILE_FRAMES: readonly Http2Case[] = [
  ...PREFACES,
  ...SIZES,
  ...PLACES,
  ...STATES,
  ...SETTING_VALUES,
  ...WINDOWS,
  ...COMPRESSION,
];
