import { describe, expect, it } from 'vitest';
import { captureOf, flagsHelp, readFlags, SIDECAR_FLAGS, sidecarOptions } from './index.ts';

const read = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}, otel = env) =>
  sidecarOptions(readFlags(SIDECAR_FLAGS, ['--name', 'web', ...argv], env), otel);

describe('the flags of a sidecar', () => {
  it('become its options', async () => {
    expect(
      await read([
        ...['-p', '8080', '-u', 'reviews=9001', '-u', 'orders.shop:80=0', '-l', 'version=v2', '-n', 'shop'],
        ...['--inbound', '[::1]:15006', '--advertise', '10.0.0.5', '--access-log', '-', '--workers', '2'],
        ...['--locality', 'eu/eu-1', '--cluster', 'east'],
        ...['--no-port-check', '--no-overload-manager'],
        ...['--drain-window-seconds', '0.5', '--drain-deadline-seconds', '60'],
      ]),
    ).toEqual({
      name: 'web',
      namespace: 'shop',
      labels: { app: 'web', version: 'v2' },
      ports: [{ port: 8080 }],
      upstreams: [
        { service: 'reviews', localPort: 9001 },
        { service: 'orders.shop', servicePort: 80, localPort: 0 },
      ],
      inbound: { host: '::1', port: 15006 },
      advertise: { host: '10.0.0.5' },
      locality: { region: 'eu', zone: 'eu-1' },
      cluster: 'east',
      readiness: 'immediate',
      workers: 2,
      supervisor: true,
      overload: false,
      capabilities: ['retries', 'auth', 'limits', 'traffic', 'metrics', 'access-log', 'tracing'],
      drain: { windowMs: 500, deadlineMs: 60_000 },
      accessLog: 'stdout',
      telemetry: {},
    });
    expect((await read([])).drain).toEqual({ windowMs: 5_000, deadlineMs: 600_000 });
    await expect(read(['--drain-deadline-seconds', '2'])).rejects.toThrow(/5 s .* cut after 2 s/);
    // A timer of Node's that is longer ends at once.
    await expect(read(['--drain-deadline-seconds', '2592000'])).rejects.toThrow('cannot be 2592000');
  });

  it('say what is reported, and read the environment only where it is the sidecar’s own', async () => {
    const flags = ['--access-log-format', 'istio-json', '--metrics', 'native', '--metrics', 'istio'];
    const otlp = ['--otlp-endpoint', 'http://h:4318', '--trace-ratio', '0.5'];
    expect((await read([...flags, ...otlp])).telemetry).toMatchObject({
      accessLogFormat: { json: { start_time: '%START_TIME%' } },
      metricsDialects: ['native', 'istio'],
      otlp: { environment: true, endpoint: 'http://h:4318', traces: { sampleRatio: 0.5 } },
    });
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h:4318' };
    expect((await read([], env)).telemetry).toEqual({ otlp: { environment: true } });
    const values = readFlags(SIDECAR_FLAGS, ['--name', 'web', ...otlp], env);
    expect((await sidecarOptions(values)).telemetry).toEqual({
      otlp: { endpoint: 'http://h:4318', traces: { sampleRatio: 0.5 } },
    });
    expect((await sidecarOptions(readFlags(SIDECAR_FLAGS, ['--name', 'web'], env))).telemetry).toEqual({});
  });

  it.each([
    [['--profile', 'identity'], []],
    [
      ['--profile', 'observe'],
      ['metrics', 'access-log', 'tracing'],
    ],
    [
      ['--profile', 'identity', '--with', 'metrics', '--with', 'auth'],
      ['auth', 'metrics'],
    ],
    [
      ['--without', 'traffic', '--without', 'limits'],
      ['retries', 'auth', 'metrics', 'access-log', 'tracing'],
    ],
  ])('%j turns on', async (argv, capabilities) => {
    expect((await read(argv)).capabilities).toEqual(capabilities);
  });

  it('have variables that stand in for them', async () => {
    const env = { TULLE_NAMESPACE: 'shop', TULLE_CONTROL_PLANE: 'a:1,b:2', TULLE_TRUST_DOMAIN: '' };
    const values = readFlags(SIDECAR_FLAGS, ['--name', 'web'], env);
    expect(values).toMatchObject({ namespace: 'shop', 'control-plane': ['a:1', 'b:2'] });
    expect(values['trust-domain']).toBeUndefined();
    expect(readFlags(SIDECAR_FLAGS, ['--name', 'web', '-n', 'own'], env).namespace).toBe('own');
  });

  it.each([
    [['--nmae', 'x'], "Unknown option '--nmae'"],
    [['--port', '0'], '--port "0" is no port'],
    [['--upstream', 'orders'], '--upstream "orders" is not SERVICE=PORT'],
    [['--port', '80', '--upstream', 'a=80'], '80 cannot be both --port and the local port of a'],
    [['--label', 'v2'], '--label "v2" is not KEY=VALUE'],
    [['--workers', 'two'], '--workers "two" is no number of processes'],
    [['--workers', '0'], '--workers "0" is no number of processes'],
    [['--workers', '2000'], '--workers "2000" is no number of processes'],
    [['--metrics', 'linkerd'], '--metrics "linkerd" is none of native, istio'],
    [['--otlp-endpoint', 'h:4318'], '--otlp-endpoint "h:4318" is no http URL'],
    [['--otlp-endpoint', 'http://h', '--trace-ratio', '5'], '--trace-ratio "5" is no share, 0 to 1'],
    [['--trace-ratio', '0.5'], '--trace-ratio needs a collector'],
    [['--profile', 'tiny'], '--profile cannot be "tiny"'],
    [['--with', 'everything'], '--with: there is no capability "everything"'],
    [['--with', 'metrics', '--without', 'metrics'], 'metrics cannot be both --with and --without'],
    [
      ['--profile', 'identity', '--access-log', '-'],
      '--access-log needs access-log, which is off in the profile identity',
    ],
    [['--without', 'tracing', '--otlp-endpoint', 'http://h'], '--otlp-endpoint needs tracing, which is off'],
  ])('refuse %j', async (argv, message) => {
    await expect((async () => read(argv))()).rejects.toThrow(message);
  });

  it('ask for a name, and are all in the help', () => {
    expect(() => readFlags(SIDECAR_FLAGS, [], {})).toThrow('--name is missing');
    const help = flagsHelp(SIDECAR_FLAGS);
    for (const name of Object.keys(SIDECAR_FLAGS)) expect(help).toContain(`--${name}`);
  });
});

describe('what is captured', () => {
  const captured = (...argv: string[]) =>
    captureOf(readFlags(SIDECAR_FLAGS, ['--name', 'web', ...argv], {}), 'program');

  it('is nothing, or what the flags say', () => {
    expect(captured()).toBeUndefined();
    expect(captured('--capture')).toEqual({
      scope: 'program',
      excludeCidrs: [],
      excludePorts: [],
      excludeInboundPorts: [],
    });
    expect(
      captured(
        ...['--capture', '--egress', 'registry-only', '--if-proxy-dies', 'closed'],
        ...['--reachable', 'orders', '--reachable', '*.shop'],
        ...['--capture-exclude', '10.0.0.0/8', '--capture-exclude', '22', '--capture-exclude', 'fd00::/8'],
        ...['--capture-exclude-inbound', '9100'],
      ),
    ).toEqual({
      scope: 'program',
      egress: 'registry-only',
      ifProxyDies: 'closed',
      reachable: ['orders', '*.shop'],
      excludeCidrs: ['10.0.0.0/8', 'fd00::/8'],
      excludePorts: [22],
      excludeInboundPorts: [9100],
    });
  });

  it.each([
    [['--egress', 'registry-only'], '--egress needs --capture'],
    [['--reachable', 'orders'], '--reachable needs --capture'],
    [['--capture', '--reachable', 'shop/orders'], '--reachable "shop/orders" is no Service'],
    [['--capture', '--egress', 'all'], '--egress cannot be "all"'],
    [['--capture', '--capture-exclude', '70000'], '"70000" is neither a network nor a port'],
    [['--capture', '--capture-exclude', '10.0.0.0/33'], '"10.0.0.0/33" is neither'],
    [['--capture', '--capture-exclude', 'db.example'], '"db.example" is neither'],
    [['--capture-exclude-inbound', '9100'], '--capture-exclude-inbound needs --capture'],
    [['--capture', '--capture-exclude-inbound', '70000'], '"70000" is no port'],
    [['--capture', '--capture-exclude-inbound', 'x'], '"x" is no port'],
    [['--capture', '--port', '80', '--capture-exclude-inbound', '80'], 'by the mesh, or past the sidecar'],
    [['--capture', '--port', '080', '--capture-exclude-inbound', '80'], 'by the mesh, or past the sidecar'],
  ])('cannot be %j', (argv, message) => {
    expect(() => captured(...argv)).toThrow(message);
  });
});
