import { isTulleError } from '@tulle/filter';
import type { RecordCertificate, StreamRecord } from '@tulle/telemetry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { streamRecord } from '@tulle/testkit';
import { compileFormat, type AccessLogFormat } from './formats.ts';
import { OPERATOR_NAMES, parseFormat, type FormatPart } from '@tulle/record-format';
import { LineBuffer } from './line-buffer.ts';
import { ENVOY_FORMAT, ISTIO_FORMAT, ISTIO_JSON_FORMAT, namedFormat } from './presets.ts';

const OPTIONS = { maxFieldChars: 4096, query: 'keep' } as const;

/** The line of a record, without its line end. */
function lineOf(
  format: AccessLogFormat,
  change: Partial<StreamRecord> = {},
  options: Partial<{ maxFieldChars: number; query: 'keep' | 'strip' }> = {},
): string {
  const out = new LineBuffer(4096, 65_536);
  compileFormat(format, { ...OPTIONS, ...options })(out, streamRecord(change));
  const line = out.bytes.toString('utf8', 0, out.length);
  expect(line.endsWith('\n')).toBe(true);
  return line.slice(0, -1);
}

const issuesOf = (format: AccessLogFormat): string[] => {
  try {
    compileFormat(format, OPTIONS);
  } catch (error) {
    if (!isTulleError(error)) throw error;
    expect(error.code).toBe('TULLE_CONFIG_INVALID');
    for (const { message } of error.issues) expect(error.message).toContain(message);
    return error.issues.map(({ path, message }) => `${path} ${message}`);
  }
  return [];
};

const headers =
  (fields: Readonly<Record<string, string>>) =>
  (name: string): string | undefined =>
    fields[name];

const request: Partial<StreamRecord> = {
  path: '/original',
  query: 'a=1',
  upstreamPath: '/rewritten',
  durationMs: 12.9,
  bytesReceived: 5,
  requestHeader: headers({ 'user-agent': 'curl/8 "x"', 'x-forwarded-for': '10.0.0.9' }),
};

describe('operators of the end', () => {
  it('say when a record was made, of what kind it is, and every endpoint that was asked', () => {
    const format = '%EMIT_TIME(%s.%3f)% %ACCESS_LOG_TYPE% %UPSTREAM_HOSTS_ATTEMPTED%';
    const [attempt] = streamRecord().attempts;
    const attempts = ['10.0.0.1:80', '', '10.0.0.2:80'].map((address) => ({ ...attempt!, address }));
    expect(lineOf(format, { durationMs: 1_250, attempts })).toBe(
      '1700000001.250 DownstreamEnd 10.0.0.1:80,10.0.0.2:80',
    );
    expect(lineOf(format, { kind: 'tcp', protocol: 'TCP', durationMs: 0, attempts: [] })).toBe(
      '1700000000.000 TcpConnectionEnd -',
    );
    const going = (kind: 'http' | 'tcp', moment: StreamRecord['moment']): string =>
      lineOf('%ACCESS_LOG_TYPE%', { kind, moment });
    expect([going('tcp', 'start'), going('tcp', 'connected'), going('tcp', 'periodic')]).toEqual([
      'TcpConnectionStart',
      'TcpUpstreamConnected',
      'TcpPeriodic',
    ]);
    expect([going('http', 'start'), going('http', 'tunnel'), going('http', 'periodic')]).toEqual([
      'DownstreamStart',
      'DownstreamTunnelSuccessfullyEstablished',
      'DownstreamPeriodic',
    ]);
    expect(issuesOf('%EMIT_TIME(%Q)%')).toEqual([expect.stringContaining('%Q') as string]);
  });

  it('leave out what is unset where that is wanted', () => {
    const empty = { ...OPTIONS, omitEmpty: true };
    const line = (format: AccessLogFormat): string => {
      const out = new LineBuffer(4096, 65_536);
      compileFormat(format, empty)(out, streamRecord({ serverName: undefined }));
      return out.bytes.toString('utf8', 0, out.length);
    };
    expect(line('%REQUESTED_SERVER_NAME%|%PROTOCOL%|%CODE%')).toBe('|HTTP/1.1|\n');
    expect(line({ json: { a: '%CODE%', b: '%PROTOCOL%', c: { d: '%CODE%' }, e: '%CODE%' } })).toBe(
      '{"b":"HTTP/1.1","c":{}}\n',
    );
    expect(line({ json: { a: '%CODE%' } })).toBe('{}\n');
  });
});

describe('presets', () => {
  it("are Envoy's text", () => {
    expect(lineOf(ENVOY_FORMAT, request)).toBe(
      '[2023-11-14T22:13:20.000Z] "GET /original?a=1 HTTP/1.1" 200 - 5 100 12 9 "10.0.0.9" "curl/8 \\x22x\\x22" "r-1" "reviews" "127.0.0.1:4000"',
    );
  });

  it("are Istio's text", () => {
    const attempt = { ...streamRecord().attempts[0]!, status: 0, failure: 'TULLE_UPSTREAM_CONNECT' };
    expect(
      lineOf(ISTIO_FORMAT, {
        status: 503,
        flags: ['UF', 'URX'],
        details: 'upstream_reset_before_response_started{connection failure}',
        upstreamServiceMs: -1,
        attempts: [attempt],
        serverName: 'web.example',
      }),
    ).toBe(
      '[2023-11-14T22:13:20.000Z] "GET / HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure} - ' +
        '"TULLE_UPSTREAM_CONNECT" 0 100 12 - "-" "-" "r-1" "reviews" "127.0.0.1:4000" ' +
        'outbound|8080||reviews.default.svc.mesh.local - 127.0.0.1:6000 127.0.0.1:5000 web.example reviews-route',
    );
  });

  it("are Istio's JSON, null where unset, numbers as numbers", () => {
    expect(JSON.parse(lineOf(ISTIO_JSON_FORMAT, request))).toEqual({
      start_time: '2023-11-14T22:13:20.000Z',
      route_name: 'reviews-route',
      method: 'GET',
      path: '/original?a=1',
      protocol: 'HTTP/1.1',
      response_code: 200,
      response_flags: '-',
      response_code_details: 'via_upstream',
      connection_termination_details: null,
      bytes_received: 5,
      bytes_sent: 100,
      duration: 12,
      upstream_service_time: 9,
      x_forwarded_for: '10.0.0.9',
      user_agent: 'curl/8 "x"',
      request_id: 'r-1',
      authority: 'reviews',
      upstream_host: '127.0.0.1:4000',
      upstream_cluster: 'outbound|8080||reviews.default.svc.mesh.local',
      upstream_local_address: null,
      downstream_local_address: '127.0.0.1:6000',
      downstream_remote_address: '127.0.0.1:5000',
      requested_server_name: null,
      upstream_transport_failure_reason: null,
    });
  });

  it('are found by name, and anything else is a format', () => {
    expect(['tulle', 'envoy', 'istio', 'istio-json', '%DURATION%', 'toString'].map(namedFormat)).toEqual([
      undefined,
      ENVOY_FORMAT,
      ISTIO_FORMAT,
      ISTIO_JSON_FORMAT,
      '%DURATION%',
      'toString',
    ]);
  });
});

describe('operators', () => {
  it.each<[format: string, change: Partial<StreamRecord>, line: string]>([
    ['100%% %DURATION%', {}, '100% 12'],
    ['%REQ(:PATH)% %REQ(X-ENVOY-ORIGINAL-PATH)%', request, '/rewritten?a=1 /original?a=1'],
    ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', { path: '/p' }, '/p'],
    [
      '%PATH% %PATH(NQ)% %PATH(WQ:PATH)% %PATH(NQ:ORIG)%',
      request,
      '/original?a=1 /original /rewritten?a=1 /original',
    ],
    ['%REQ(x-a?x-b)% %REQ(x-c?x-d)%', { requestHeader: headers({ 'x-b': 'b', 'x-c': 'c' }) }, 'b c'],
    ['"%REQ(x-a):3%"', { requestHeader: headers({ 'x-a': 'abcdef' }) }, '"abc"'],
    [
      '%RESP(content-type)% %RESP(:STATUS)%',
      { responseHeader: headers({ 'content-type': 'text/css' }) },
      'text/css 200',
    ],
    ['%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%', { upstreamServiceMs: -1 }, '-'],
    ['%REQ(:SCHEME)% %REQ(:AUTHORITY)% %REQ(:METHOD)%', { tls: true }, 'https reviews GET'],
    ['%QUERY_PARAM(b)% %QUERY_PARAM(a)% %QUERY_PARAM(c)%', { query: 'a=1&b=x=y&c' }, 'x=y 1 -'],
    ['%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%', { flags: ['UH', 'XX'] }, 'UH,XX NoHealthyUpstream,XX'],
    ['%RESPONSE_DURATION% %RESPONSE_TX_DURATION%', {}, '10 2'],
    ['%RESPONSE_DURATION% %RESPONSE_TX_DURATION%', { firstByteMs: -1 }, '- -'],
    [
      '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%',
      { grpcStatus: 4 },
      'DeadlineExceeded DEADLINE_EXCEEDED 4 4',
    ],
    ['%GRPC_STATUS%', { grpcStatus: 1 }, 'Canceled'],
    ['%GRPC_STATUS%', { grpcStatus: 99 }, '99'],
    ['%GRPC_STATUS%', {}, '-'],
    [
      '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%',
      { remoteAddress: '::1' },
      '[::1]:5000 ::1 5000',
    ],
    ['%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT%', { remoteAddress: '' }, '- -'],
    [
      '%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%',
      { upstreamAddress: '[::1]:80' },
      '::1 80',
    ],
    ['%UPSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_URI_SAN%', {}, 'spiffe://mesh.local/ns/default/sa/reviews -'],
    ['%UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_LABEL(version)% %CODE% %DIRECTION%', {}, '1 v2 - outbound'],
    ['%TRACE_ID% %SPAN_ID% %STREAM_ID%', { traceId: 'a1', spanId: 'b2' }, 'a1 b2 r-1'],
    [
      '%PROTOCOL% %REQ(:PATH)% %CONNECTION_TERMINATION_DETAILS%',
      { kind: 'tcp', protocol: 'TCP', code: 'X', details: 'why not' },
      '- - why_not',
    ],
    // Of a connection as its listener tells it, and of a session of datagrams.
    ['%PROTOCOL%', { kind: 'tcp', protocol: 'HTTP/1.1' }, 'HTTP/1.1'],
    ['%PROTOCOL% ', { kind: 'tcp', protocol: 'UDP' }, '- '],
  ])('%s', (format, change, line) => {
    expect(lineOf(format, change)).toBe(line);
  });

  it('leave the query out where it is not to be shown', () => {
    expect(lineOf('%REQ(:PATH)% %PATH% %QUERY_PARAM(a)%', request, { query: 'strip' })).toBe(
      '/rewritten /original -',
    );
  });

  it('are looked up once: the environment, the host', () => {
    process.env['ACCESS_LOG_TEST'] = 'eu west';
    const out = new LineBuffer(100, 1000);
    const write = compileFormat('%ENVIRONMENT(ACCESS_LOG_TEST)% %HOSTNAME%', OPTIONS);
    delete process.env['ACCESS_LOG_TEST'];
    write(out, streamRecord());
    expect(out.bytes.toString('utf8', 0, out.length)).toMatch(/^eu\\x20west \S+\n$/);
  });

  it('keep their type in JSON where they stand alone', () => {
    expect(
      JSON.parse(
        lineOf({
          json: {
            took: '%DURATION%',
            text: '%DURATION% ms, %REQ(x-none)%',
            deep: { code: '%CODE%', '"': '100%%' },
            none: {},
          },
        }),
      ),
    ).toEqual({ took: 12, text: '12 ms, -', deep: { code: null, '"': '100%' }, none: {} });
  });
});

describe('what few lines show', () => {
  const metadata: Readonly<Record<string, Record<string, unknown>>> = {
    'a.filter': { sub: 'anna lee', level: 12.3456, admin: true, groups: ['x', { y: 'é "' }] },
  };
  const certificate: RecordCertificate = {
    sha256: 'ab',
    sha1: 'cd',
    serial: '1b',
    subject: 'CN=me,O=Org\\, Inc.',
    issuer: 'CN=root',
    uris: ['spiffe://a/b', 'spiffe://a/c'],
    dns: ['x.y'],
    ips: ['10.0.0.1'],
    emails: ['a@b.c'],
    notBeforeMs: Date.UTC(2026, 0, 2),
    notAfterMs: Date.UTC(2027, 0, 2),
    pem: '-----BEGIN CERTIFICATE-----\nA+/=\n-----END CERTIFICATE-----\n',
  };
  const known: Partial<StreamRecord> = {
    query: 'a=1%202&b=%zz&c',
    metadata: (namespace) => metadata[namespace],
    filterState: (key) => ({ 'my.key': 'kept', object: { headers: [{ key: 'x-a', value: '"' }] } })[key],
    responseTrailer: headers({ 'grpc-message': 'well' }),
    upstreamLabels: { version: 'v2' },
    upstreamHostname: 'service.example.com',
    filterChain: 'proven',
    times: { requestEndMs: 1.5, connectedMs: 2, requestSentMs: 3, responseHeadMs: 8.25 },
    fieldBytes: { request: 201, response: 92, responseTrailers: 0 },
    downstream: {
      id: 7,
      protocol: 'HTTP/2',
      localAddress: '127.0.0.1',
      localPort: 443,
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', peer: certificate, own: undefined },
    },
    upstream: { id: 9, protocol: 'HTTP/1.1', localAddress: '::1', localPort: 5, tls: undefined },
  };

  it.each([
    ['%CONNECTION_ID% %UPSTREAM_CONNECTION_ID% %UPSTREAM_PROTOCOL%', '7 9 HTTP/1.1'],
    ['%UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_PORT%', '[::1]:5 ::1 5'],
    ['%UPSTREAM_HOST_NAME% %UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%', 'service.example.com 127.0.0.1'],
    ['%FILTER_CHAIN_NAME%', 'proven'],
    ['%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER%', 'TLSv1.3 TLS_AES_128_GCM_SHA256'],
    ['%UPSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT% %DOWNSTREAM_LOCAL_SUBJECT%', '- - -'],
    ['"%DOWNSTREAM_PEER_SUBJECT%" %DOWNSTREAM_PEER_ISSUER%', '"CN=me,O=Org\\x5C, Inc." CN=root'],
    [
      '%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_FINGERPRINT_1% %DOWNSTREAM_PEER_SERIAL%',
      'ab cd 1b',
    ],
    [
      '%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN% %DOWNSTREAM_PEER_IP_SAN% %DOWNSTREAM_PEER_EMAIL_SAN%',
      'spiffe://a/b,spiffe://a/c x.y 10.0.0.1 a@b.c',
    ],
    ['%DOWNSTREAM_PEER_CERT%', '-----BEGIN%20CERTIFICATE-----%0AA%2B%2F%3D%0A-----END%20CERTIFICATE-----%0A'],
    [
      '%DOWNSTREAM_PEER_CERT_V_START% %DOWNSTREAM_PEER_CERT_V_END(%F)%',
      '2026-01-02T00:00:00.000Z 2027-01-02',
    ],
    ['%REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', '1 3 8 3'],
    ['%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)% %COMMON_DURATION(US_TX_BEG:US_RX_BEG)%', '1500 6'],
    ['%COMMON_DURATION(US_RX_BEG:DS_RX_BEG)% %UPSTREAM_CONNECTION_POOL_READY_DURATION%', '- 2'],
    ['%REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES% %RESPONSE_TRAILERS_BYTES%', '201 92 0'],
    ['%TRAILER(GRPC-MESSAGE)% %TRAILER(x?grpc-message)% %TRAILER(x)%', 'well well -'],
    [
      '"%QUERY_PARAM(a)%" %QUERY_PARAM(b)% %QUERY_PARAM(c)% "%QUERY_PARAMS(DECODED)%"',
      '"1 2" %zz - "a=1 2&b=%zz&c"',
    ],
    ['%QUERY_PARAMS% %REQ_WITHOUT_QUERY(:PATH)%', 'a=1%202&b=%zz&c /'],
    ['%FILTER_STATE(my.key:PLAIN)% %FILTER_STATE(other)%', 'kept -'],
    ['%FILTER_STATE(object)% %FILTER_STATE(object:PLAIN)%', '{"headers":[{"key":"x-a","value":"\\""}]} -'],
    ['%UPSTREAM_METADATA(envoy.lb:version)% %METADATA(UPSTREAM_HOST:envoy.lb)%', 'v2 {"version":"v2"}'],
    ['"%DYNAMIC_METADATA(a.filter:sub)%" %DYNAMIC_METADATA(a.filter:level)%', '"anna lee" 12.3456'],
    [
      '%METADATA(DYNAMIC:a.filter:admin)% %DYNAMIC_METADATA(a.filter:none)% %DYNAMIC_METADATA(b)%',
      'true - -',
    ],
    ['%DYNAMIC_METADATA(a.filter:groups)%', '["x",{"y":"\\u00e9\\u0020\\""}]'],
    [
      '%COALESCE({"operators":[{"command":"REQ","param":"x"},{"command":"ROUTE_NAME","max_length":3}]})%',
      'rev',
    ],
    ['%START_TIME(%E3S_%Ez)% %EMIT_TIME(%E1S)%', '20.000_+00:00 20.0'],
    ['%RESPONSE_CODE_DETAILS%', 'via_upstream'],
  ])('%s', (format, line) => {
    expect(lineOf(format, known)).toBe(line);
  });

  it('keeps its type in JSON', () => {
    const json = {
      groups: '%DYNAMIC_METADATA(a.filter:groups)%',
      level: '%DYNAMIC_METADATA(a.filter:level)%',
      all: '%UPSTREAM_METADATA(envoy.lb)%',
      none: '%DYNAMIC_METADATA(b:c)%',
      text: 'is %DYNAMIC_METADATA(a.filter:admin)%',
    };
    expect(JSON.parse(lineOf({ json }, known))).toEqual({
      groups: ['x', { y: 'é "' }],
      level: 12.3456,
      all: { version: 'v2' },
      none: null,
      text: 'is true',
    });
  });

  it('says only of requests that an endpoint answered how long that took, and that it did', () => {
    const format = '%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %RESPONSE_CODE_DETAILS%';
    const change = { ...known, upstreamServiceMs: -1 };
    expect(lineOf(format, { ...change, details: 'direct_response' })).toBe('- - direct_response');
    expect(lineOf(format, { ...change, details: '' })).toBe('- - -');
    expect(lineOf('%RESPONSE_CODE_DETAILS%', { details: '' })).toBe('via_upstream');
    // One that ended in the microsecond in which it began.
    expect(lineOf('%RESPONSE_TX_DURATION%', { firstByteMs: 10.124, durationMs: 10.1237 })).toBe('0');
  });

  it('writes times of where the proxy stands, with its zone', () => {
    const zone = process.env['TZ'];
    process.env['TZ'] = 'Asia/Kolkata';
    try {
      const at = { startEpochMs: Date.UTC(2026, 0, 4, 3, 2, 1) + 9 };
      expect(lineOf('%START_TIME_LOCAL% %START_TIME%', at)).toBe(
        '2026-01-04T08:32:01.009+0530 2026-01-04T03:02:01.009Z',
      );
      expect(lineOf('%START_TIME_LOCAL(%s)% %EMIT_TIME_LOCAL(%H_%Ez)%', at)).toBe('1767495721 08_+05:30');
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  it('makes another id each time', () => {
    const [one, other] = lineOf('%UNIQUE_ID% %UNIQUE_ID%').split(' ');
    expect(one).toMatch(/^[0-9a-f-]{36}$/);
    expect(other).not.toBe(one);
  });
});

describe('START_TIME', () => {
  const at = Date.UTC(2026, 0, 4, 3, 2, 1) + 9.87654;
  const time = (format: string, epochMs = at): string =>
    lineOf(`"%START_TIME(${format})%"`, { startEpochMs: epochMs }).slice(1, -1);

  it.each([
    ['%Y-%m-%dT%H:%M:%S.%3fZ', '2026-01-04T03:02:01.009Z'],
    ['%s.%3f %s.%6f', '1767495721.009 1767495721.009876'],
    ['%9f %1f %f', '009876540 0 009876540'],
    ['%F %T %R %D', '2026-01-04 03:02:01 03:02 01/04/26'],
    ['%a %A %b %B %h %e %j %u %w', 'Sun Sunday Jan January Jan  4 004 7 0'],
    ['%I %l %k %p %y %C %z %Z 100%%', '03  3  3 AM 26 20 +0000 UTC 100%'],
    ['', '2026-01-04T03:02:01.009Z'],
  ])('%s', (format, text) => {
    // Nanoseconds beyond what the clock of a computer holds are whatever they are.
    expect(time(format).replace(/00987\d{4}/g, '009876540')).toBe(text);
  });

  it('is right at any time, also after another', () => {
    const format = '%Y-%m-%dT%H:%M:%S.%3fZ';
    const out = new LineBuffer(100, 1000);
    const write = compileFormat(`%START_TIME(${format})%`, OPTIONS);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) }), (epochMs) => {
        out.length = 0;
        write(out, streamRecord({ startEpochMs: epochMs }));
        expect(out.bytes.toString('utf8', 0, out.length)).toBe(`${new Date(epochMs).toISOString()}\n`);
      }),
    );
  });

  it('never shows the next second for the end of one', () => {
    expect(time('%S.%3f', Date.UTC(2026, 0, 4, 3, 2, 1) + 999.999)).toBe('01.999');
  });
});

describe('a wrong format', () => {
  it.each([
    [
      '%DURATION',
      [
        '/format column 1: %DURATION has no % that ends it: the format ends (an operator is %NAME%, %NAME(argument)% or %NAME(argument):length%)',
      ],
    ],
    [
      'took %DURATION ms',
      [
        '/format column 6: %DURATION has no % that ends it: " " follows (an operator is %NAME%, %NAME(argument)% or %NAME(argument):length%)',
      ],
    ],
    ['a % b', ['/format column 3: a % begins an operator, e.g. %START_TIME%; write %% for a percent sign']],
    ['%REQ(X-A%', ['/format column 1: %REQ( has no )% that ends it']],
    ['%REQ(X-A):0%', ['/format column 1: :0 is no length; give 1 to 65536 characters']],
    ['%DURATON%', ['/format column 1: there is no operator %DURATON%; did you mean %DURATION%?']],
    [
      '%UPSTREAM_FILTER_STATE(x)%',
      [
        '/format column 1: %UPSTREAM_FILTER_STATE% is an operator of Envoy that Tulle has nothing to fill with; leave it out',
      ],
    ],
    [
      '%COMMON_DURATION(DS_RX_BEG:US_CX_BEG:s)%',
      [
        '/format column 1: "US_CX_BEG" is no moment that is known here; there is DS_RX_BEG, DS_RX_END, US_TX_BEG, US_TX_END, US_RX_BEG, DS_TX_BEG, DS_TX_END',
        '/format column 1: give two moments and ms, us or ns, e.g. %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%',
      ],
    ],
    [
      '%METADATA(CLUSTER:a:b)%',
      [
        '/format column 1: the metadata of "CLUSTER" is not kept; there is DYNAMIC, ROUTE and UPSTREAM_HOST, e.g. %METADATA(DYNAMIC:a.filter:key)%',
      ],
    ],
    [
      '%UPSTREAM_METADATA(own:a)%',
      ['/format column 1: of endpoints there is envoy.lb alone, e.g. %UPSTREAM_METADATA(envoy.lb:version)%'],
    ],
    [
      '%FILTER_STATE(a:RAW)%',
      [
        '/format column 1: give a key, then PLAIN, TYPED or FIELD with its name, e.g. %FILTER_STATE(my.key:PLAIN)% or %FILTER_STATE(my.key:FIELD:name)%',
      ],
    ],
    [
      '%COALESCE({"operators":[]})%',
      [
        '/format column 1: give a list of operators as JSON, e.g. %COALESCE({"operators":["REQUESTED_SERVER_NAME",{"command":"REQ","param":":authority"}]})%',
      ],
    ],
    [
      '%COALESCE({"operators":["PROTOCL"]})%',
      ['/format column 1: there is no operator %PROTOCL%; did you mean %PROTOCOL%?'],
    ],
    ['%DURATION(ms)%', ['/format column 1: this operator takes no argument']],
    [
      '%REQ%',
      [
        '/format column 1: give a field name, or two as in %REQ(X-FORWARDED-FOR)%, %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
      ],
    ],
    [
      '%REQ(a?b?c)%',
      [
        '/format column 1: give a field name, or two as in %REQ(X-FORWARDED-FOR)%, %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
      ],
    ],
    [
      '%PATH(ALL)%',
      ['/format column 1: give WQ or NQ, then ORIG, PATH or ORIG_OR_PATH, e.g. %PATH(NQ:ORIG)%'],
    ],
    ['%ENVIRONMENT()%', ['/format column 1: this operator needs an argument, e.g. %ENVIRONMENT(REGION)%']],
    ['%GRPC_STATUS(WORD)%', ['/format column 1: give CAMEL_STRING, SNAKE_STRING or NUMBER']],
    ['', ['/format column 1: the format is empty']],
    ['a\nb\n', ['/format column 2: a record is one line: no line end may stand inside']],
  ])('%j is refused with what is wrong and where', (format, issues) => {
    expect(issuesOf(format)).toEqual(issues);
  });

  it('is refused with everything that is wrong', () => {
    expect(issuesOf('[%START_TIME(%Q %Y)%] %NOPE% %DURATION %CODE% %')).toEqual([
      expect.stringMatching(/^\/format column 14: %Q is no part of a time; there is a A b /) as unknown,
      '/format column 23: there is no operator %NOPE%',
      expect.stringMatching(/^\/format column 30: %DURATION has no % that ends it: " " follows/) as unknown,
      '/format column 47: a % begins an operator, e.g. %START_TIME%; write %% for a percent sign',
    ]);
  });

  it('is refused in JSON by its key', () => {
    expect(issuesOf({ json: { a: '%NOPE%', deep: { 'b/c': 'x %' }, n: 5 as unknown as string } })).toEqual([
      '/format/json/a column 1: there is no operator %NOPE%',
      '/format/json/deep/b~1c column 3: a % begins an operator, e.g. %START_TIME%; write %% for a percent sign',
      '/format/json/n column 1: 5 is neither a text nor an object',
    ]);
  });
});

describe('the parser', () => {
  const literal = fc
    .string({ unit: 'binary', minLength: 1 })
    .map((text): FormatPart => ({ kind: 'literal', text }));
  const operator = fc
    .record({
      name: fc.oneof(fc.constantFrom(...OPERATOR_NAMES), fc.stringMatching(/^[A-Z0-9_]{1,8}$/)),
      argument: fc.option(
        fc.string({ unit: fc.constantFrom('a', ':', '?', '(', '%', '9', ' ', '"', '\n') }),
        { nil: undefined },
      ),
      maxChars: fc.option(fc.integer({ min: 1, max: 65_536 }), { nil: undefined }),
    })
    .map(({ name, argument, maxChars }): FormatPart => ({
      kind: 'operator',
      name,
      argument,
      maxChars,
      at: 0,
    }));
  const written = (part: FormatPart): string =>
    part.kind === 'literal'
      ? part.text.replaceAll('%', '%%')
      : `%${part.name}${part.argument === undefined ? '' : `(${part.argument})`}${part.maxChars === undefined ? '' : `:${part.maxChars}`}%`;

  it('gives back the parts that a format was written from, with their places', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(literal, operator)), (parts) => {
        const issues: never[] = [];
        const expected: FormatPart[] = [];
        let at = 0;
        for (const part of parts) {
          const before = expected.at(-1);
          if (part.kind === 'literal' && before?.kind === 'literal')
            expected[expected.length - 1] = { kind: 'literal', text: before.text + part.text };
          else expected.push(part.kind === 'literal' ? part : { ...part, at });
          at += written(part).length;
        }
        expect(parseFormat(parts.map(written).join(''), issues)).toEqual(expected);
        expect(issues).toEqual([]);
      }),
    );
  });

  it('refuses or compiles anything, and then writes exactly one line', () => {
    const token = fc.constantFrom(
      '%',
      '%%',
      '(',
      ')',
      ':',
      '?',
      '5',
      'REQ',
      'START_TIME',
      'DURATION',
      'x-a',
      '%Y',
      '"',
      ' ',
      '\n',
      '\u2028',
      'é',
    );
    const format = fc.oneof(
      fc.array(token).map((tokens) => tokens.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(format, (text) => {
        for (const one of [text, { json: { key: text } }])
          if (issuesOf(one).length === 0) {
            const line = lineOf(one, { requestHeader: () => 'v\r\n' });
            expect(line).not.toMatch(/[\r\n]/);
            if (typeof one !== 'string') JSON.parse(line);
          }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a caller', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '" 200 - 0 0',
      '"\n[2026] "GET',
      '\\',
      '\\"',
      '\r\n',
      '\u001b[2J',
      '\u009b',
      '\u2028',
      '\ud800',
      ' ',
      '%DURATION%',
    ),
  );
  const noBlank = nasty.map((text) => text.replace(/\s/g, '_'));

  it('cannot forge a record, a column or a line of the presets', () => {
    const envoy =
      /^\[([^\]]*)\] "(\S+) (\S+) (\S+)" (\d+) (\S+) (\d+) (\d+) (\d+) (\S+) "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)" "([^"]*)"$/;
    fc.assert(
      fc.property(noBlank, nasty, nasty, nasty, (path, agent, forwarded, authority) => {
        const line = lineOf(ENVOY_FORMAT, {
          path: `/${path}`,
          authority,
          requestHeader: (name) => (name === 'user-agent' ? agent : forwarded),
        });
        // oxlint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        const columns = envoy.exec(line);
        expect(columns, line).not.toBeNull();
        expect([columns?.[5], columns?.[13], columns?.[15]]).toEqual(['200', 'r-1', '127.0.0.1:4000']);
        expect(columns?.[12]).toBe(agent === '' ? '-' : escapedByHand(agent));
      }),
      { numRuns: 1000 },
    );
  });

  it('cannot make a column where a format has no quotes', () => {
    expect(lineOf('%REQ(user-agent)% %RESPONSE_CODE%', { requestHeader: () => '500 500\t"x"' })).toBe(
      '500\\x20500\\x09\\x22x\\x22 200',
    );
  });

  it('cannot leave its value in JSON', () => {
    fc.assert(
      fc.property(nasty, nasty, (agent, path) => {
        const line = lineOf(
          { json: { agent: '%REQ(user-agent)%', both: '<%REQ(user-agent)%>', path: '%PATH%' } },
          { requestHeader: () => agent, path },
        );
        // oxlint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        expect(JSON.parse(line)).toEqual({
          agent: agent === '' ? null : agent,
          both: `<${agent === '' ? '-' : agent}>`,
          path: path === '' ? null : path,
        });
      }),
    );
  });

  it('cannot make a line as long as it likes', () => {
    expect(lineOf('"%REQ(x)%"', { requestHeader: () => 'a'.repeat(100) }, { maxFieldChars: 5 })).toBe(
      '"aaaaa…"',
    );
    expect(lineOf('"%REQ(x):3%"', { requestHeader: () => 'a'.repeat(100) }, { maxFieldChars: 5 })).toBe(
      '"aaa"',
    );
  });
});

/** What the rules of the log say, character by character. */
function escapedByHand(text: string): string {
  let escaped = '';
  for (const c of text.split('')) {
    const code = c.charCodeAt(0);
    if (code === 0x2028 || code === 0x2029) escaped += `\\u${code.toString(16)}`;
    else if (code < 32 || c === '"' || c === '\\' || (code > 126 && code < 256))
      escaped += `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`;
    else escaped += c;
  }
  return Buffer.from(escaped).toString();
}
